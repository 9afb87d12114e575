import { join } from 'node:path';
import { PlumbError } from '../../../reconciler/model/errors.ts';
import type { Entry } from '../../../reconciler/model/journal.ts';
import type {
  FleetStore,
  JournalHead,
  Journals,
  Mailbox,
  Reservations,
  Store,
} from '../../../reconciler/model/store.ts';
import { openEmbedded } from '../../../reconciler/store/embedded/embedded.ts';
import { checkLink, GENESIS } from '../../../reconciler/store/journal/chain.ts';
import { openRedis } from '../../../reconciler/store/redis/redis.ts';
import { HOSTS } from './git.ts';
import { Servers } from '../redis.ts';
import type { VirtualTime } from '../virtual-time.ts';

/** The store of a fleet, as it really is. */
export interface Ground {
  /** As a part opens it: once the store is emptied, all calls of it throw STORE_EMPTIED. */
  open(writer: string): Promise<FleetStore>;
  /** As nobody's fault can bend it. */
  truth(): FleetStore;
  /** It ends and begins again with all that it promised. */
  restart(): Promise<void>;
  /** It begins again with nothing. */
  empty(): Promise<void>;
  /** All that it holds, but leases, as text. */
  content(): Promise<string>;
  close(): Promise<void>;
}

/** Makes a ground in an empty directory. */
export type MakeGround = (dir: string, time: VirtualTime) => Promise<Ground>;

/** What is no single call. */
const STREAMS: ReadonlySet<string> = new Set(['follow', 'read', 'of']);

type Work = () => Promise<unknown>;

/** The ports of a store of which each call goes another way round. */
export function around(
  store: () => FleetStore,
  call: (method: string, args: readonly unknown[], work: Work) => Promise<unknown>,
): FleetStore {
  const port = <P extends object>(of: () => P): P => {
    const methods = Object.keys(of()).map((method) => {
      const now = (...args: readonly unknown[]): unknown =>
        (Reflect.get(of(), method) as (...given: readonly unknown[]) => unknown)(...args);
      if (STREAMS.has(method)) return [method, now] as const;
      return [
        method,
        (...args: readonly unknown[]) => call(method, args, now.bind(undefined, ...args) as Work),
      ] as const;
    });
    return Object.fromEntries(methods) as P;
  };
  return {
    reservations: port(() => store().reservations),
    leases: port(() => store().leases),
    mailbox: port(() => store().mailbox),
    bulletin: port(() => store().bulletin),
    journals: port(() => store().journals),
    onBack: (call) => store().onBack(call),
    close: () => store().close(),
  };
}

/** Copies of journals in memory, each held to be one unbroken chain. */
function copies(): (writer: string) => Journals {
  const chains = new Map<string, { readonly behind: JournalHead; readonly entries: Entry[] }>();
  const chainOf = (writer: string): { readonly behind: JournalHead; readonly entries: Entry[] } =>
    chains.get(writer) ?? { behind: GENESIS, entries: [] };
  const headOf = (writer: string): JournalHead => {
    const { behind, entries } = chainOf(writer);
    const { seq, hash } = entries.at(-1) ?? behind;
    return { seq, hash };
  };
  const verify = (writer: string): { entries: number; head: string } => {
    const { behind, entries } = chainOf(writer);
    entries.forEach((entry, at) => checkLink(entry, entries[at - 1] ?? behind, writer));
    return { entries: entries.length, head: headOf(writer).hash };
  };
  return (writer) => ({
    writers: () => Promise.resolve([...chains.keys()].sort()),
    of: (other) => ({
      read: async function* () {
        yield* await Promise.resolve(chainOf(other).entries);
      },
      follow: async function* () {},
      verify: () => Promise.resolve(verify(other)),
    }),
    head: () => Promise.resolve(headOf(writer)),
    mirror: (entries, anew = false) => {
      const [first] = entries;
      if (first && anew)
        chains.set(writer, { behind: { seq: first.seq - 1, hash: first.prev }, entries: [...entries] });
      else if (first?.prev === headOf(writer).hash)
        chains.set(writer, { ...chainOf(writer), entries: [...chainOf(writer).entries, ...entries] });
      return Promise.resolve(headOf(writer));
    },
  });
}

const JUST_WHEN: ReadonlySet<string> = new Set(['at', 'fetchedAt']);

function textOf(value: unknown): string {
  return JSON.stringify(value, (key, item: unknown) =>
    item instanceof Map
      ? [...item].sort(([a], [b]) => (String(a) < String(b) ? -1 : 1))
      : JUST_WHEN.has(key)
        ? 0
        : item,
  );
}

/** What every part may read of a store. */
async function contentOf({ reservations, mailbox, bulletin, journals }: FleetStore): Promise<string> {
  const writers = await journals.writers();
  return textOf([
    await reservations.snapshot(),
    await mailbox.reports(HOSTS),
    await Promise.all(HOSTS.map((host) => mailbox.assignment(host))),
    await bulletin.read(),
    await Promise.all(writers.map((writer) => journals.of(writer).verify())),
  ]);
}

/** The embedded store as that of a fleet; `bend` may break its reservations on purpose. */
export const embeddedGround =
  (bend: (reservations: Reservations) => Reservations = (reservations) => reservations): MakeGround =>
  async (dir, time) => {
    let life = 0;
    let journals = copies();
    let starts = 0;
    const heard = new Set<() => void>();
    const onBack = (call: () => void): void => void heard.add(call);
    const start = async (): Promise<Store> => {
      const opened = await openEmbedded(join(dir, `fleet-${String(life)}`), { clock: time.now });
      const { mailbox } = opened;
      const mine = `${String((starts += 1))}/`;
      // its marks count from its start: who asks behind one of an earlier start has missed all
      const news: Mailbox['news'] = async (since) => {
        const { mark, mails } = await mailbox.news(
          since?.startsWith(mine) === true ? since.slice(mine.length) : undefined,
        );
        const missed = since !== undefined && !since.startsWith(mine);
        return { mark: mine + mark, mails: missed ? undefined : mails };
      };
      return { ...opened, mailbox: { ...mailbox, news }, reservations: bend(opened.reservations) };
    };
    let store = await start();
    const again = async (): Promise<void> => {
      await store.close();
      store = await start();
    };
    const bound = (writer: string): FleetStore => {
      const mine = life;
      const own = journals(writer);
      const ports = around(
        () => ({ ...store, journals: own, onBack }),
        (_method, _args, work) =>
          mine === life ? work() : Promise.reject(new PlumbError('STORE_EMPTIED', 'the store was emptied')),
      );
      return { ...ports, close: () => Promise.resolve() };
    };
    return {
      open: (writer) => Promise.resolve(bound(writer)),
      truth: () => bound('truth'),
      restart: async () => {
        await again();
        for (const call of heard) call();
      },
      empty: async () => {
        life += 1;
        heard.clear();
        journals = copies();
        await again();
      },
      content: () => contentOf(bound('truth')),
      close: () => store.close(),
    };
  };

/** A real redis-server, which is killed and started again. */
export const redisGround: MakeGround = async (dir, time) => {
  const home = time.outside(() => new Servers(undefined, dir));
  const server = await time.outside(() => home.start(['appendonly yes', 'appendfsync always']));
  const url = `redis://127.0.0.1:${String(server.port)}`;
  const open = (writer: string): Promise<FleetStore> =>
    time.outside(() => openRedis(url, { clock: time.now, leaseTime: 'clock', writer }));
  let truth = await open('truth');
  return {
    open,
    truth: () => truth,
    restart: () =>
      time.outside(async () => {
        await server.kill();
        await server.start();
      }),
    empty: async () => {
      await time.outside(() => server.admin.flushall());
      await truth.close();
      truth = await open('truth');
    },
    content: () =>
      time.outside(async () => {
        const keys = (await server.admin.keys('*')).filter((key) => !key.includes(':lease:')).sort();
        const values = await Promise.all(keys.map((key) => server.admin.dumpBuffer(key)));
        return keys.map((key, at) => `${key} ${values[at]?.toString('hex') ?? ''}`).join('\n');
      }),
    close: async () => {
      await truth.close();
      await time.outside(() => home.close());
    },
  };
};
