/** Values of some replicas of one App, by replica. */
export interface OfReplicas<V> {
  readonly size: number;
  get(replica: string): V | undefined;
  /** In order of ordinal. */
  values(): readonly V[];
  /** The last of them. */
  readonly last: V | undefined;
}

/** Larger ordinals are no slots: a table must not grow with what a strange name says. */
const MOST = 100_000;

/** The ordinal in a replica's name, where it is written as names are: `web-3`, not `web-03`. */
function slotOf(replica: string): number | undefined {
  const from = replica.lastIndexOf('-') + 1;
  let slot = 0;
  for (let at = from; at < replica.length; at += 1) {
    const digit = replica.charCodeAt(at) - 48;
    if (digit < 0 || digit > 9 || (at > from && slot === 0)) return undefined;
    slot = slot * 10 + digit;
  }
  return from === 0 || from === replica.length || slot > MOST ? undefined : slot;
}

/** A table of the replicas of one App, with a slot for each ordinal: a Map of a fleet's takes several times as much. */
export class ByOrdinal<V extends object> implements OfReplicas<V> {
  readonly #slots: (V | undefined)[] = [];
  /** Those whose names have no slot; seldom there. */
  #others: Map<string, V> | undefined;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(replica: string): V | undefined {
    const slot = slotOf(replica);
    return slot === undefined ? this.#others?.get(replica) : this.#slots[slot];
  }

  /** Undefined takes it out. */
  set(replica: string, value: V | undefined): void {
    this.#size += (value ? 1 : 0) - (this.get(replica) ? 1 : 0);
    const slot = slotOf(replica);
    if (slot !== undefined) this.#put(slot, value);
    else if (value) (this.#others ??= new Map<string, V>()).set(replica, value);
    else this.#others?.delete(replica);
  }

  #put(slot: number, value: V | undefined): void {
    const slots = this.#slots;
    while (value && slots.length < slot) slots.push(undefined);
    if (value || slot < slots.length) slots[slot] = value;
    while (slots.length > 0 && slots.at(-1) === undefined) slots.pop();
  }

  get last(): V | undefined {
    return this.#others ? this.values().at(-1) : this.#slots.at(-1);
  }

  values(): readonly V[] {
    const values = this.#slots.filter((value) => value !== undefined);
    return this.#others ? [...values, ...this.#others.values()] : values;
  }
}
