/** The steps of the sentence, for one scope: the fleet (controller) or one host (agent). */
export interface Steps<Scope, Tree, Specs, Seen, Placed, Planned, Result> {
  /** What is wanted, as it was written: the files of a revision, or a host's Assignment. */
  checkout(scope: Scope): Promise<Tree>;
  /** Pure. */
  compile(tree: Tree): Specs;
  /** What is there. Never writes. */
  observe(specs: Specs, scope: Scope): Promise<Seen>;
  /** Pure: homes proposed for what has none. A large fleet's takes its time: its homes are looked for as the first are applied. */
  place(specs: Specs, seen: Seen): Placed;
  /** Pure: the changes that lead from seen to wanted. */
  plan(specs: Specs, seen: Seen, placed: Placed): Planned;
  apply(planned: Planned): Promise<Result>;
  record(planned: Planned, result: Result): Promise<void>;
}

/** What Plumbline does, whole. Both loops run it, again and again; nothing is remembered from one time to the next but caches. */
export async function converge<Scope, Tree, Specs, Seen, Placed, Planned, Result>(
  steps: Steps<Scope, Tree, Specs, Seen, Placed, Planned, Result>,
  scope: Scope,
): Promise<Result> {
  const tree = await steps.checkout(scope);
  const specs = steps.compile(tree);
  const seen = await steps.observe(specs, scope);
  const placed = steps.place(specs, seen);
  const planned = steps.plan(specs, seen, placed);
  const result = await steps.apply(planned);
  await steps.record(planned, result);
  return result;
}
