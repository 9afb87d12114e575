import type { Document } from '../../schemas/types.ts';
import type { Problem, Resource } from '../model/catalog.ts';
import type { Origin } from '../model/change.ts';
import { isManifestPath, MAX_FILES } from '../model/source.ts';
import type { SourceFile } from '../model/source.ts';
import type { CompileCode } from './codes.ts';
import { withDefaults } from './defaults.ts';
import { parseFile } from './file.ts';
import type { Claim, ParseCache } from './file.ts';
import type { Kind } from './schemas.ts';
import type { Say } from './specs/say.ts';

/** A document with defaults filled in, and where it was written. */
export interface Manifest {
  readonly kind: Kind;
  readonly name: string;
  readonly document: Document;
  readonly origin: Origin;
  readonly fields: Readonly<Record<string, Origin>>;
}

/** A file that holds something that cannot be used. */
export interface BrokenFile {
  readonly path: string;
  /** Of its documents, the sound ones too: a broken file is held as a whole. */
  readonly claims: readonly Claim[];
}

export interface Reading {
  readonly manifests: readonly Manifest[];
  readonly problems: readonly Problem[];
  readonly broken: readonly BrokenFile[];
  readonly files: number;
}

const REFUSED = {
  symlink: ['SYMLINK', 'is a symbolic link', 'commit the file itself'],
  submodule: ['SUBMODULE', 'is a submodule', 'commit the files themselves'],
  'too-large': ['TOO_LARGE', 'is larger than 1 MiB', 'split the file'],
  name: ['NOT_UTF8', 'has a name that is not UTF-8', 'rename the file'],
} as const;

/** Reads all manifests of a revision. Sound documents of a broken file are claims, not manifests. */
export function readFiles(files: readonly SourceFile[], revision: string, cache?: ParseCache): Reading {
  const considered = files.filter(({ path }) => isManifestPath(path)).sort((a, b) => (a.path < b.path ? -1 : 1));
  const manifests: Manifest[] = [];
  const problems: Problem[] = [];
  const broken: BrokenFile[] = [];
  const tell = (file: string, code: CompileCode, message: string, hint: string): void => {
    problems.push({ code, message, hint, file, line: 1, column: 1 });
    broken.push({ path: file, claims: [{}] });
  };
  for (const { path, blob, bytes, refused } of considered.slice(0, MAX_FILES)) {
    const cached = cache?.get(blob);
    if (refused !== undefined || (bytes === undefined && !cached)) {
      const [code, is, hint] = REFUSED[refused ?? 'too-large'];
      tell(path, code, `${path} ${is}`, hint);
      continue;
    }
    const parsed = cached ?? parseFile(bytes ?? new Uint8Array());
    cache?.set(blob, parsed);
    const own = parsed.documents.map(({ manifest, scalars }) => manifestOf(manifest, scalars, revision, path));
    if (parsed.findings.length === 0) manifests.push(...own);
    else broken.push({ path, claims: [...parsed.claims, ...own.map(claimOf)] });
    problems.push(...parsed.findings.map((finding) => ({ ...finding, file: path })));
  }
  const excess = considered[MAX_FILES];
  if (excess !== undefined) {
    const message = `more than ${String(MAX_FILES)} manifests; this one and what follows is not read`;
    tell(excess.path, 'TOO_MANY_FILES', message, 'put several documents into one file, separated by ---');
  }
  return { manifests, problems, broken, files: considered.length };
}

function claimOf({ kind, name, document }: Manifest): Claim {
  const { owner } = document.metadata;
  return { kind, name, ...(owner === undefined ? {} : { owner }) };
}

function manifestOf(
  document: Document,
  scalars: Readonly<Record<string, readonly [number, number]>>,
  revision: string,
  file: string,
): Manifest {
  const fields: Record<string, Origin> = {};
  for (const pointer in scalars) {
    const [line, column] = scalars[pointer] ?? [1, 1];
    fields[pointer] = { revision, file, line, column };
  }
  const { kind } = document;
  const { name } = document.metadata;
  const origin = fields['/metadata/name'] ?? { revision, file, line: 1, column: 1 };
  return { kind, name, document: withDefaults(kind, document), origin, fields };
}

/** One kind's manifest as a resource; what its spec finds wrong goes to `say`. */
export function resourceOf<D extends Document, Spec>(
  { name, origin, fields }: Manifest,
  document: D,
  owner: string,
  spec: (document: D, say: Say) => Spec,
  say: Say,
): Resource<Spec> {
  return { name, owner, labels: document.metadata.labels ?? {}, spec: spec(document, say), origin, fields };
}
