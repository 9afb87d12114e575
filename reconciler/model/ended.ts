/** What a generator comes to, without a turn for anybody else on the way. */
export function ended<T>(turns: Generator<unknown, T>): T {
  let turn = turns.next();
  while (turn.done !== true) turn = turns.next();
  return turn.value;
}
