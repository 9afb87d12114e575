import type { ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';

/** Answers of a ping that runs. */
export interface Ping {
  /** Ends it once one more answer came, and gives the numbers of those before it that never came. */
  lost(): Promise<readonly number[]>;
}

/** Reads a ping with numbered answers, as iputils prints them. */
export function readPing(child: ChildProcess): Ping {
  let out = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (out += String(chunk)));
  const answered = (): number[] => [...out.matchAll(/ icmp_seq=(\d+) ttl=/g)].map(([, seq]) => Number(seq));
  return {
    lost: async () => {
      const before = Math.max(0, ...answered());
      for (let waited = 0; Math.max(0, ...answered()) <= before; waited += 50) {
        if (waited > 20_000 || child.exitCode !== null) throw new Error(`no answer any more:\n${out.slice(-500)}`);
        await sleep(50);
      }
      child.kill('SIGINT');
      const seen = new Set(answered());
      return Array.from({ length: Math.max(...seen) }, (_, n) => n + 1).filter((seq) => !seen.has(seq));
    },
  };
}

/** One request to one replica. */
export interface Asked {
  readonly address: string;
  /** Seconds since the machine booted. */
  readonly began: number;
  readonly ended: number;
  /** What was answered; absent when nothing was. */
  readonly answer?: string;
}

/** Arguments of a shell that asks each address for its page five times a second and prints a line about each request. */
export function askingAll(addresses: readonly string[]): string {
  return `      trap exit TERM
      ask() {
        while :; do
          read -r began rest </proc/uptime
          answer=$(timeout 5 wget -q -O - "http://$1/" 2>/dev/null) || answer=
          read -r ended rest </proc/uptime
          echo "$1 $began $ended $answer"
          sleep 0.2
        done
      }
      for address in ${addresses.join(' ')}; do ask $address & done
      while :; do sleep 0.5; done
`;
}

/** What such a shell printed. */
export function readAsked(log: string): readonly Asked[] {
  return [...log.matchAll(/^(\S+) (\d+\.\d+) (\d+\.\d+) ?(.*)$/gm)].map(
    ([, address = '', began, ended, answer = '']) => ({
      address,
      began: Number(began),
      ended: Number(ended),
      ...(answer === '' ? {} : { answer }),
    }),
  );
}

/** A time for which an address is known not to have answered: from the end of a failed request to the start of the last one failed in a row. */
interface Away {
  readonly from: number;
  readonly to: number;
}

function awaysOf(requests: readonly Asked[]): readonly Away[] {
  const found: Away[] = [];
  let first: Asked | undefined;
  let last: Asked | undefined;
  for (const request of [...requests, undefined]) {
    if (request && request.answer === undefined) {
      first ??= request;
      last = request;
    } else if (first && last) {
      found.push({ from: first.ended, to: Math.max(first.ended, last.began) });
      first = last = undefined;
    }
  }
  return found;
}

/** How many of the addresses were away at once, at most. */
export function mostAway(requests: readonly Asked[]): number {
  const addresses = [...new Set(requests.map(({ address }) => address))];
  const aways = addresses.map((address) => awaysOf(requests.filter((one) => one.address === address)));
  const instants = aways.flatMap((some) => some.map(({ from }) => from));
  const awayAt = (at: number): number =>
    aways.filter((some) => some.some(({ from, to }) => from <= at && at <= to)).length;
  return Math.max(0, ...instants.map(awayAt));
}
