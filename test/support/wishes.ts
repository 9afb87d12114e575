import { compile } from '../../reconciler/compile/compile.ts';
import type { Catalog } from '../../reconciler/model/catalog.ts';
import { manifest, sourceFiles } from './manifests.ts';

/** What Git asks for of one App, and whether its file can be read. */
export interface AppWish {
  readonly replicas: number;
  readonly image: string;
  /** MiB. */
  readonly memory: number;
  readonly broken?: 'typo' | 'garbage';
}

/** What Git asks for. An App or knob that is absent is not asked for. */
export interface Wishes {
  readonly apps: Readonly<Partial<Record<'a' | 'b', AppWish>>>;
  readonly knob?: string;
}

export const KNOB = 'net.core.somaxconn';
export const VLAN = 100;
/** First and last address that may be given out: 10.1.0.x. */
export const RANGE = [10, 40] as const;

const FIXED: Readonly<Record<string, string>> = {
  'fleet.yaml': manifest(
    'Fleet',
    'story',
    'intervals: { resync: 30s, poll: 15s }\nowners: { apps/a.yaml: ann, apps/b.yaml: bob }',
  ),
  'zone.yaml': manifest('Zone', 'main', 'hosts: { matchLabels: { pool: main } }'),
  'host.yaml': manifest('Host', 'h1', '{}', 'labels: { pool: main }'),
  'network.yaml': manifest(
    'Network',
    'front',
    `vlan: ${String(VLAN)}\ncidr: 10.1.0.0/24\nranges: [10.1.0.${String(RANGE[0])}-10.1.0.${String(RANGE[1])}]`,
  ),
};

function appFile(name: string, { replicas, image, memory, broken }: AppWish): string {
  if (broken === 'garbage') return 'kind: [App\n';
  const spec = `image: ${image}\nzone: main\nnetwork: { name: front }\nreplicas: ${String(replicas)}\nresources: { memory: { limit: ${String(memory)}Mi } }`;
  return manifest('App', name, broken === 'typo' ? `${spec}\nreplicsa: 3` : spec);
}

/** The catalog that the wishes make at a revision. */
export function catalogOfWishes({ apps, knob }: Wishes, revision: string, previous: Catalog | undefined): Catalog {
  const files: Record<string, string> = { ...FIXED };
  for (const [name, app] of Object.entries(apps)) files[`apps/${name}.yaml`] = appFile(name, app);
  if (knob !== undefined)
    files['tuning.yaml'] = manifest('Tuning', 'knobs', `hosts: {}\nsysctls: { ${KNOB}: "${knob}" }`);
  return compile(sourceFiles(files), revision, undefined, previous);
}
