import { createHash } from 'node:crypto';
import type { SourceFile } from '../../reconciler/model/source.ts';

/** A repository as compile is given it: path → text or bytes. */
export function sourceFiles(files: Readonly<Record<string, string | Uint8Array>>): readonly SourceFile[] {
  return Object.entries(files).map(([path, content]) => {
    const bytes = typeof content === 'string' ? Buffer.from(content) : content;
    return { path, blob: createHash('sha1').update(bytes).digest('hex'), bytes };
  });
}

/** A manifest of the kind; `rest` is YAML at the level of `spec`, indented by two. */
export function manifest(kind: string, name: string, spec = '{}', metadata = ''): string {
  const body = spec.startsWith('{') ? ` ${spec}` : `\n${spec.replace(/^(?=.)/gm, '  ')}`;
  const more = metadata === '' ? '' : `\n${metadata.replace(/^(?=.)/gm, '  ')}`;
  return `apiVersion: plumbline/v1\nkind: ${kind}\nmetadata:\n  name: ${name}${more}\nspec:${body}\n`;
}

/** A small sound repository: Fleet lab, Zone main, Network net, Hosts h1 and h2, Apps web (3) and api (1). */
export const SOUND: Readonly<Record<string, string>> = {
  'fleet.yaml': manifest('Fleet', 'lab', 'owners:\n  apps/shop: shop\n  apps: teams'),
  'zone.yaml': manifest('Zone', 'main', 'hosts:\n  matchLabels:\n    pool: main'),
  'network.yaml': manifest('Network', 'net', 'vlan: 100\ncidr: 10.1.0.0/24\ngateway: 10.1.0.1'),
  'hosts/h1.yaml': manifest('Host', 'h1', '{}', 'labels:\n  pool: main'),
  'hosts/h2.yaml': manifest('Host', 'h2', '{}', 'labels:\n  pool: main'),
  'apps/shop/web.yaml': manifest('App', 'web', 'image: a:1\nzone: main\nnetwork:\n  name: net\nreplicas: 3'),
  'apps/api.yaml': manifest('App', 'api', 'image: a:1\nzone: main\nnetwork:\n  name: net'),
};
