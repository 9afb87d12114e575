import { compile } from '../../reconciler/compile/compile.ts';
import type { Catalog, Problem } from '../../reconciler/model/catalog.ts';
import { counted } from '../../reconciler/model/words.ts';
import type { Io } from '../io.ts';
import { command, outputOption, parse } from '../options.ts';
import { openParseCache } from '../parse-cache.ts';
import { problemsGithub, problemsJson, problemsSarif, problemsText } from '../problems.ts';
import { cacheDir, readTarget } from '../target.ts';

interface Options {
  readonly output: 'text' | 'json' | 'github' | 'sarif';
  readonly path?: string;
  readonly cache: boolean;
}

/** `plumb validate`: prints all problems; 0 valid, 1 invalid. Throws PlumbError when it could not run. */
export async function validateCommand(argv: readonly string[], io: Io): Promise<number> {
  const cmd = command(
    'validate',
    'Check manifests by their schemas and against each other. All problems are told at once.',
    'plumb validate\nplumb validate examples/manifests/shop\nplumb validate /srv/fleet.git@main -o json\nplumb validate -o github',
    io,
  )
    .argument('[target]', 'a folder, or a Git repository at a branch, tag or commit as REPO@REV', '.')
    .option('--path <dir>', 'folder inside the target that holds the manifests')
    .option('--no-cache', 'parse every file again')
    .addOption(outputOption('text', 'json', 'github', 'sarif'));
  const parsed = parse(cmd, argv);
  if (!parsed) return 0;
  const options = parsed.opts<Options>();
  const target = await readTarget(String(parsed.processedArgs[0]), options.path, io);
  const cache = options.cache ? await openParseCache(cacheDir(io), target.key, target.files) : undefined;
  const catalog = compile(target.files, target.revision, cache);
  await cache?.save();
  const problems = catalog.problems.map((problem) => ({ ...problem, file: target.root + problem.file }));
  io.out(show(options.output, problems, catalog, io));
  return problems.length === 0 ? 0 : 1;
}

function show(output: Options['output'], problems: readonly Problem[], catalog: Catalog, io: Io): string {
  switch (output) {
    case 'json':
      return problemsJson(problems);
    case 'github':
      return problemsGithub(problems);
    case 'sarif':
      return problemsSarif(problems);
    case 'text': {
      const summary = problems.length === 0 ? `valid: ${contents(catalog)}` : told(problems);
      return `${problemsText(problems, io.color)}${problems.length === 0 ? '' : '\n'}${summary}\n`;
    }
  }
}

function told(problems: readonly Problem[]): string {
  return `${counted(problems.length, 'problem')} in ${counted(new Set(problems.map(({ file }) => file)).size, 'file')}`;
}

function contents({ fleet, apps, zones, networks, hosts, tunings }: Catalog): string {
  const counts = [
    [apps.size, 'App'],
    [zones.size, 'Zone'],
    [networks.size, 'Network'],
    [hosts.size, 'Host'],
    [tunings.size, 'Tuning'],
  ] as const;
  const parts = counts.filter(([count]) => count > 0).map(([count, word]) => counted(count, word));
  return [`Fleet ${fleet.name}`, ...parts].join(', ');
}
