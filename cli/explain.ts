import { PlumbError } from '../reconciler/model/errors.ts';
import { explain, type Explanation } from '../reconciler/place/explain.ts';
import { hostViews } from '../reconciler/place/hosts.ts';
import { openCatalogs } from './catalogs.ts';
import { upOptions, type UpFlags } from './compose.ts';
import type { Io } from './io.ts';
import { lookAround } from './look.ts';
import { command, outputOption, parse } from './options.ts';
import { pathsOf, stateOptions } from './paths.ts';
import { table, tint } from './table.ts';

interface Options extends UpFlags {
  readonly output: 'text' | 'json';
}

/** `plumb explain REPLICA`: why it is where it is, or why nowhere; 0 when it has or would get a host, 2 when not. */
export async function explainCommand(argv: readonly string[], io: Io): Promise<number> {
  const description =
    'Explain why a replica is on its host, or why on none: hosts removed by each filter, scores of the rest.';
  const cmd = command('explain', description, 'plumb explain web-3\nplumb explain web-3 --repo /srv/fleet.git', io)
    .argument('<replica>', 'as web-3')
    .addOption(outputOption('text', 'json'));
  upOptions(cmd);
  stateOptions(cmd);
  const parsed = parse(cmd, argv);
  if (!parsed) return 0;
  const options = parsed.opts<Options>();
  const replica = (parsed.args[0] ?? '').replace(/^[a-z]+\//, '');
  const catalog = await (await openCatalogs(options, pathsOf(options, io).state, io)).at(undefined);
  const { known } = await lookAround(options, catalog, io);
  const hosts = hostViews(catalog, known.reports, known.snapshot);
  const found = explain({ catalog, hosts, now: Date.now(), ...known }, replica);
  if (!found) {
    const apps = [...catalog.apps.values()].map(({ name, spec }) => `${name}-0…${String(spec.replicas - 1)}`);
    throw new PlumbError('USAGE', `no App in Git has a replica ${replica}; there are ${apps.slice(0, 5).join(', ')}`);
  }
  io.out(options.output === 'json' ? `${JSON.stringify({ version: 1, ...found }, null, 2)}\n` : text(found, io));
  return found.best === undefined && found.host === undefined ? 2 : 0;
}

function text({ message, removals, candidates, address }: Explanation, io: Io): string {
  const lines = [`${tint(io, 'bold', message)}${address === undefined ? '' : `; its address is ${address}`}`];
  if (removals.length > 0) {
    const rows = removals.map(({ filter, removed, example }) => [filter, String(removed), example ?? '']);
    lines.push('', table(['FILTER', 'HOSTS REMOVED', 'AS'], rows));
  }
  if (candidates.length > 0) {
    const rows = candidates.slice(0, 10).map(({ host, score }) => [host, JSON.stringify(score)]);
    lines.push('', table(['HOST', 'SCORE (LESS IS BETTER)'], rows));
  }
  return `${lines.join('\n')}\n`;
}
