import type { Origin } from '../model/change.ts';

type Lines = Readonly<Record<string, Origin>>;

/** For each kind of ref: path in its spec → where the manifests write it. `app:` and `network:` name the document. */
const SOURCES: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  bridge: {
    '/name': ['network:/spec/bridge'],
    '/datapath': ['network:/spec/datapath'],
    '/uplink': ['network:/spec/uplink'],
  },
  sandbox: { '/hostname': ['app:/metadata/name'], '/dns': ['network:/spec/dns'], '/sysctls': ['app:/spec/sysctls'] },
  port: {
    '/bridge': ['network:/spec/bridge'],
    '/datapath': ['network:/spec/datapath'],
    '/vlan': ['network:/spec/vlan'],
    '/address': ['network:/spec/ranges', 'network:/spec/cidr'],
    '/prefix': ['network:/spec/cidr'],
    '/gateway': ['network:/spec/gateway'],
    '/mac': ['network:/spec/vlan'],
    '/mtu': ['network:/spec/mtu'],
    '/egress': ['app:/spec/network/egress', 'network:/spec/egress'],
    '/ingress': ['app:/spec/network/ingress', 'network:/spec/ingress'],
    '/antiSpoofing': ['network:/spec/antiSpoofing'],
  },
  container: {
    '/image': ['app:/spec/image'],
    '/command': ['app:/spec/command'],
    '/args': ['app:/spec/args'],
    '/env': ['app:/spec/env'],
    '/user': ['app:/spec/user'],
    '/workdir': ['app:/spec/workdir'],
    '/openFiles': ['app:/spec/openFiles'],
    '/layer': ['app:/spec/resources/disk/layer'],
    '/ulimits': ['app:/spec/ulimits'],
    '/volumes': ['app:/spec/volumes'],
    '/stop': ['app:/spec/stop'],
    '/status': ['app:/spec/frozen'],
  },
  cgroup: {
    '/frozen': ['app:/spec/frozen'],
    '/cpu': ['app:/spec/resources/cpu/cores'],
    '/shares': ['app:/spec/resources/cpu/shares', 'app:/spec/resources/cpu/cores'],
    '/quota': ['app:/spec/resources/cpu/quota'],
    '/burst': ['app:/spec/resources/cpu/burst'],
    '/idle': ['app:/spec/resources/cpu/idle'],
    '/scheduling': ['app:/spec/resources/cpu/scheduling'],
    '/memory': ['app:/spec/resources/memory/limit'],
    '/reservation': ['app:/spec/resources/memory/reservation'],
    '/swap': ['app:/spec/resources/memory/swap'],
    '/high': ['app:/spec/resources/memory/high'],
    '/swappiness': ['app:/spec/resources/memory/swappiness'],
    '/oomGroup': ['app:/spec/resources/memory/oomGroup'],
    '/oomScoreAdj': ['app:/spec/resources/memory/oomScoreAdj', 'app:/spec/level'],
    '/hugetlb2M': ['app:/spec/resources/memory/hugepages/2Mi'],
    '/hugetlb1G': ['app:/spec/resources/memory/hugepages/1Gi'],
    '/pids': ['app:/spec/resources/pids'],
    '/blockIoWeight': ['app:/spec/resources/blockIoWeight'],
    '/escape': ['app:/spec/resources/escape'],
    '/blockIoLimits': ['app:/spec/resources/blockIoLimits'],
  },
  cores: { '/pinned': ['app:/spec/resources/cpu/pinned'] },
  memory: { '/spare': ['app:/spec/resources/memory/reclaim/above'] },
};

const ASKED: ReadonlySet<string> = new Set(Object.values(SOURCES).flatMap((paths) => Object.values(paths).flat()));

const told = new WeakMap<Lines, Lines>();

/**
 * The lines of an App or a Network that a host can be asked for, as one object for all hosts: where the manifest writes what
 * concerns none of them, such as how an App is placed, is half of an Assignment if it is told.
 */
export function linesTold(document: 'app' | 'network', lines: Lines): Lines {
  const before = told.get(lines);
  if (before) return before;
  const isAsked = (pointer: string): boolean =>
    ASKED.has(`${document}:${pointer}`) || (pointer !== '' && isAsked(pointer.slice(0, pointer.lastIndexOf('/'))));
  const made = Object.fromEntries(Object.entries(lines).filter(([pointer]) => isAsked(pointer)));
  told.set(lines, made);
  return made;
}

/** The first line at the pointer, or at the first scalar below it (`/spec/env` has no line of its own, `/spec/env/A` has). */
function lineOf(lines: Lines, pointer: string): Origin | undefined {
  const exact = lines[pointer];
  if (exact) return exact;
  const below = Object.keys(lines).find((key) => key.startsWith(`${pointer}/`));
  return below === undefined ? undefined : lines[below];
}

/** Field path of a ref's spec → the line of the App or Network that sets it; defaults have none. */
export function originsOf(kind: string, app: Lines, network: Lines): Record<string, Origin> {
  const found: Record<string, Origin> = {};
  for (const [path, sources] of Object.entries(SOURCES[kind] ?? {})) {
    for (const source of sources) {
      const colon = source.indexOf(':');
      const line = lineOf(source.startsWith('app:') ? app : network, source.slice(colon + 1));
      if (line) {
        found[path] = line;
        break;
      }
    }
  }
  return found;
}
