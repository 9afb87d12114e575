import { Option } from 'commander';
import { nearest } from '../../reconciler/compile/suggest.ts';
import { decidePlacing } from '../../reconciler/loop/controller/deciding.ts';
import type { Catalog } from '../../reconciler/model/catalog.ts';
import { PlumbError } from '../../reconciler/model/errors.ts';
import { capacity } from '../../reconciler/place/capacity.ts';
import { scale } from '../../reconciler/place/scale.ts';
import { capacityText, type CapacityFound } from '../capacity-text.ts';
import type { UpFlags } from '../flags.ts';
import type { StoreFlags } from '../fleet-store.ts';
import type { Io } from '../io.ts';
import { command, outputOption, parse, wholeNumber } from '../options.ts';
import { questionOptions, viewsOf, withQuestion, type Question } from '../question.ts';

interface Options extends UpFlags, StoreFlags {
  readonly output: 'text' | 'json';
  readonly scale: readonly string[];
}

/** As the schema of an App says. */
const MOST_REPLICAS = 100_000;

const EXAMPLES = `plumb capacity
plumb capacity web api --repo /srv/fleet.git
plumb capacity --scale web=20x --scale api=40`;

/** `plumb capacity [APP…]`: what is left, and whether more would fit: 0 it fits, 2 it does not. */
export async function capacityCommand(argv: readonly string[], io: Io): Promise<number> {
  const description =
    'Show what zones and networks have and have left, how many replicas more would fit, and what losing a host, rack or switch would cost.';
  const cmd = command('capacity', description, EXAMPLES, io)
    .argument('[app...]', 'Apps to ask about (default: the largest of each zone)')
    .addOption(outputOption('text', 'json'))
    .addOption(
      new Option('-s, --scale <app=count>', 'ask for so many replicas of an App, or 20x as many; may be repeated')
        .argParser((text: string, before: readonly string[]) => [...before, text])
        .default([] as readonly string[], 'none'),
    );
  questionOptions(cmd);
  const parsed = parse(cmd, argv);
  if (!parsed) return 0;
  const options = parsed.opts<Options>();
  return withQuestion(options, io, (question) => found(question, parsed.args, options, io));
}

async function found(
  { catalogs, look }: Question,
  named: readonly string[],
  options: Options,
  io: Io,
): Promise<number> {
  const wanted = await catalogs.at(undefined);
  const replicas = replicasOf(options.scale, wanted);
  const apps = named.map((name) => known(name, wanted));
  const { known: seen } = await look(wanted);
  const now = Date.now();
  // what the deletion budget keeps keeps its room
  const { catalog } = decidePlacing(wanted, seen, now, false);
  const scaling = scale({ catalog, hosts: viewsOf(catalog, seen), now, ...seen }, replicas);
  const told = capacity(scaling.input, { apps });
  const fits = replicas.size > 0 ? scaling.fits : told.homeless.length === 0;
  const all: CapacityFound = { revision: wanted.revision, fits, scale: scaling.apps, ...told };
  io.out(options.output === 'json' ? `${JSON.stringify({ version: 1, ...all }, null, 2)}\n` : capacityText(all, io));
  return fits ? 0 : 2;
}

function known(name: string, { apps }: Catalog): string {
  if (apps.has(name)) return name;
  const near = nearest(name, [...apps.keys()]);
  throw new PlumbError('USAGE', `no App ${name} in Git${near === undefined ? '' : `; did you mean ${near}?`}`);
}

/** App → replicas of `web=40` and `web=20x`, a part of one rounded up. */
function replicasOf(asked: readonly string[], catalog: Catalog): ReadonlyMap<string, number> {
  const named = new Set<string>();
  return new Map(
    asked.map((text) => {
      const [, name, count = '', times] = /^([^=]+)=(?:(\d+)|(\d+(?:\.\d+)?)x)$/.exec(text) ?? [];
      if (name === undefined)
        throw new PlumbError('USAGE', `--scale takes APP=40 or APP=20x, not ${text}`, { option: text });
      const app = known(name, catalog);
      if (named.has(app))
        throw new PlumbError('USAGE', `--scale names App ${app} twice: give it once`, { option: text });
      named.add(app);
      const replicas = catalog.apps.get(app)?.spec.replicas ?? 0;
      const wanted = times === undefined ? wholeNumber('--scale', count, 0) : Math.ceil(replicas * Number(times));
      if (wanted > MOST_REPLICAS)
        throw new PlumbError('USAGE', `--scale ${text} is more than an App may have (${String(MOST_REPLICAS)})`);
      return [app, wanted] as const;
    }),
  );
}
