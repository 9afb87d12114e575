import { Document, visit } from 'yaml';
import { compile } from '../../reconciler/compile/compile.ts';
import { readFiles } from '../../reconciler/compile/documents.ts';
import type { Manifest } from '../../reconciler/compile/documents.ts';
import type { ParsedFile } from '../../reconciler/compile/file.ts';
import { KINDS } from '../../reconciler/compile/schemas.ts';
import { tablesOf } from '../../reconciler/compile/tables.ts';
import { pointerTo } from '../../reconciler/compile/tree.ts';
import type { Catalog } from '../../reconciler/model/catalog.ts';
import type { Io } from '../io.ts';
import { command, outputOption, parse } from '../options.ts';
import { problemsJson, problemsText } from '../problems.ts';
import { readTarget } from '../target.ts';

interface Options {
  readonly output: 'text' | 'json';
  readonly path?: string;
  readonly origins?: boolean;
}

/** `plumb render`: the manifests with defaults and owners filled in; they are valid again. 0, or 1 with the problems on stderr. */
export async function renderCommand(argv: readonly string[], io: Io): Promise<number> {
  const cmd = command(
    'render',
    'Print the manifests with all defaults and owners filled in, in order of kind and name.',
    'plumb render examples/manifests/shop\nplumb render --origins\nplumb render /srv/fleet.git@main -o json',
    io,
  )
    .argument('[target]', 'a folder, or a Git repository at a branch, tag or commit as REPO@REV', '.')
    .option('--path <dir>', 'folder inside the target that holds the manifests')
    .option('--origins', 'say behind each value which line wrote it')
    .addOption(outputOption('text', 'json'));
  const parsed = parse(cmd, argv);
  if (!parsed) return 0;
  const options = parsed.opts<Options>();
  const { files, revision, root } = await readTarget(String(parsed.processedArgs[0]), options.path, io);
  const cache = new Map<string, ParsedFile>();
  const catalog = compile(files, revision, cache);
  if (catalog.problems.length > 0) {
    const problems = catalog.problems.map((problem) => ({ ...problem, file: root + problem.file }));
    io.err(options.output === 'json' ? problemsJson(problems) : problemsText(problems, false));
    return 1;
  }
  const manifests = ordered(readFiles(files, revision, cache).manifests);
  const documents = manifests.map((manifest) => withOwner(manifest, catalog));
  if (options.output === 'json') io.out(`${JSON.stringify({ version: 1, revision, documents }, null, 2)}\n`);
  else io.out(manifests.map((each, at) => text(each, documents[at], options.origins === true)).join('---\n'));
  return 0;
}

function ordered(manifests: readonly Manifest[]): readonly Manifest[] {
  return manifests.toSorted((a, b) => KINDS.indexOf(a.kind) - KINDS.indexOf(b.kind) || (a.name < b.name ? -1 : 1));
}

function withOwner({ kind, name, document }: Manifest, catalog: Catalog): object {
  const owner = kind === 'Fleet' ? catalog.fleet.owner : tablesOf(catalog)[kind].get(name)?.owner;
  return { ...document, metadata: { ...document.metadata, owner } };
}

function text({ fields }: Manifest, value: unknown, origins: boolean): string {
  const document = new Document(value);
  if (origins) {
    visit(document, {
      Scalar: (key, node, path) => {
        if (key === 'key') return;
        const origin = fields[pointerOf(key, path)];
        node.comment = origin === undefined ? ' default' : ` ${origin.file}:${String(origin.line)}`;
      },
    });
  }
  return document.toString({ lineWidth: 0 });
}

/** The JSON pointer of a scalar that `visit` came to. */
function pointerOf(key: number | 'key' | 'value' | null, path: readonly unknown[]): string {
  let pointer = '';
  for (const [at, node] of path.entries()) {
    const { key: name, items } = node as {
      readonly key?: { readonly value: unknown };
      readonly items?: readonly unknown[];
    };
    if (name !== undefined) pointer = pointerTo(pointer, String(name.value));
    else if (items !== undefined && Array.isArray(items)) {
      const child = path[at + 1];
      const index = child === undefined ? key : items.indexOf(child);
      const isPair = typeof child === 'object' && child !== null && 'key' in child;
      if (!isPair && typeof index === 'number') pointer = pointerTo(pointer, index);
    }
  }
  return pointer;
}
