interface Told {
  readonly file: string;
  readonly pick: RegExp;
  readonly what: string;
  /** What stands for no limit. */
  readonly none?: string;
}

const CONNECTIONS: Told = {
  file: 'sys/net/netfilter/nf_conntrack_count',
  pick: /^(\d+)/,
  what: 'connections are tracked',
  none: '0',
};

/** Limits of the machine below which it would have more already than it may: key → the file that tells how much, and where in it. */
const TOLD: Readonly<Record<string, Told>> = {
  // proc(5): the number behind the slash is that of all threads there are
  'kernel.pid_max': { file: 'loadavg', pick: /\/(\d+) /, what: 'threads are there' },
  'kernel.threads-max': { file: 'loadavg', pick: /\/(\d+) /, what: 'threads are there' },
  'fs.file-max': { file: 'sys/fs/file-nr', pick: /^(\d+)/, what: 'files are open' },
  'fs.aio-max-nr': { file: 'sys/fs/aio-nr', pick: /^(\d+)/, what: 'requests are set up' },
  'net.netfilter.nf_conntrack_max': CONNECTIONS,
  'net.nf_conntrack_max': CONNECTIONS,
};

/**
 * Why a limit of the machine is not lowered to a value: more is in use, as the file below /proc says that `read` gives (undefined where there is none).
 * Undefined where nothing stands against it, as against all that is no less than what is there, `before`. Watches and instances of inotify are not among them, nor fs.nr_open: no file tells of their use.
 */
export function inTheWay(
  key: string,
  value: string,
  before: string,
  read: (file: string) => string | undefined,
): { readonly used: number; readonly why: string } | undefined {
  const told = TOLD[key.replaceAll('/', '.')];
  const amount = (text: string): number => (text.trim() === told?.none ? Infinity : Number(text));
  if (!(amount(value) < amount(before))) return undefined;
  const used = Number(told && told.pick.exec(read(told.file) ?? '')?.[1]);
  if (!told || !(amount(value) < used)) return undefined;
  return { used, why: `${String(used)} ${told.what}; a limit below that would fail what runs` };
}
