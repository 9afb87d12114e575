/** Changes of hosts that are remembered: beyond, it costs no less to look at all. */
const MOST = 20_000;

const NONE: ReadonlySet<string> = new Set();

/** What happened on hosts, in order, as far as somebody may not know it yet. Places in it are numbers that never come back. */
export interface Touched {
  readonly end: number;
  /** False where it is full: it begins anew. */
  add(host: string): boolean;
  since(place: number): ReadonlySet<string>;
  /** Everybody knows what was before. */
  trim(place: number): void;
}

/** Nothing has happened yet. */
export function createTouched(): Touched {
  let first = 0;
  const hosts: string[] = [];
  let last: { readonly from: number; readonly to: number; readonly fresh: ReadonlySet<string> } | undefined;
  const end = (): number => first + hosts.length;
  const trim = (place: number): void => {
    const gone = hosts.splice(0, place - first);
    first += gone.length;
  };
  return {
    get end() {
      return end();
    },
    add: (host) => {
      const fits = hosts.length < MOST;
      if (fits) hosts.push(host);
      else trim(end());
      return fits;
    },
    since: (place) => {
      if (place >= end()) return NONE;
      if (last?.from === place && last.to === end()) return last.fresh;
      // most know as much as the one before
      const fresh = new Set(hosts.slice(place - first));
      last = { from: place, to: end(), fresh };
      return fresh;
    },
    trim,
  };
}
