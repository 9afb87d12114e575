import type { Document } from '../../schemas/types.ts';
import type { Problem, Resource } from '../model/catalog.ts';
import type { Origin } from '../model/change.ts';
import { ended } from '../model/ended.ts';
import { isHidden, isManifestPath, MAX_FILES } from '../model/source.ts';
import type { SourceFile } from '../model/source.ts';
import type { CompileCode } from './codes.ts';
import { withDefaults } from './defaults.ts';
import { parseFile } from './file.ts';
import type { Claim, ParseCache, ParsedDocument } from './file.ts';
import { printable } from './finding.ts';
import type { Kind } from './schemas.ts';
import { asksOf } from './specs/app.ts';
import type { Say } from './specs/say.ts';

/** A document with defaults filled in, and where it was written. */
export interface Manifest {
  readonly kind: Kind;
  readonly name: string;
  readonly document: Document;
  readonly origin: Origin;
  readonly fields: Readonly<Record<string, Origin>>;
}

/** A manifest of a broken file. */
export interface DoubtfulManifest extends Manifest {
  /** JSON pointers of what is wrong in it; none where it is only its file that is broken. */
  readonly wrong: readonly string[];
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
  /** Of the broken files, for what can be said of them all the same. */
  readonly doubtful: readonly DoubtfulManifest[];
  /** False when nothing was read: every object of before is held. */
  readonly complete: boolean;
}

/** Whether a file is looked at: a manifest, or what may stand for some. */
function isConsidered({ path, refused }: SourceFile): boolean {
  // a symbolic link or a submodule of any name may stand for a folder of manifests
  return isManifestPath(path) || (refused !== undefined && !isHidden(path));
}

const REFUSED = {
  symlink: ['SYMLINK', 'is a symbolic link', 'commit the file itself'],
  submodule: ['SUBMODULE', 'is a submodule', 'commit the files themselves'],
  'too-large': ['TOO_LARGE', 'is larger than 1 MiB', 'split the file'],
  unreadable: ['UNREADABLE', 'cannot be read', 'let this user read it'],
  name: ['NOT_UTF8', 'has a name that is not UTF-8', 'rename the file'],
} as const;

/**
 * Reads all manifests of a revision. A file without content must be in the cache, else RangeError. Sound documents of a broken file are claims, not manifests.
 * Others may have their turn after each file.
 */
export function* reading(
  files: readonly SourceFile[],
  revision: string,
  cache?: ParseCache,
): Generator<undefined, Reading> {
  const considered = files.filter(isConsidered).sort((a, b) => (a.path < b.path ? -1 : 1));
  const excess = considered[MAX_FILES];
  if (excess !== undefined) return tooMany(excess.path);
  const manifests: Manifest[] = [];
  const problems: Problem[] = [];
  const broken: BrokenFile[] = [];
  const doubtful: DoubtfulManifest[] = [];
  const tell = (file: string, code: CompileCode, message: string, hint: string): void => {
    problems.push({ code, message, hint, file, line: 1, column: 1 });
    broken.push({ path: file, claims: [{}] });
  };
  for (const { path, blob, bytes, refused } of considered) {
    if (refused !== undefined) {
      const [code, is, hint] = REFUSED[refused];
      tell(path, code, `${printable(path)} ${is}`, hint);
      continue;
    }
    const cached = cache?.get(blob);
    if (cached === undefined && bytes === undefined) throw new RangeError(`${path}: neither content nor a parsed copy`);
    const parsed = cached ?? parseFile(bytes ?? new Uint8Array());
    if (cached === undefined) cache?.set(blob, parsed);
    const own = parsed.documents.map((document) => manifestOf(document, revision, path));
    if (parsed.findings.length === 0) manifests.push(...own);
    else {
      broken.push({ path, claims: [...parsed.claims, ...own.map(claimOf)] });
      doubtful.push(...own.map((each) => ({ ...each, wrong: [] })));
      for (const each of parsed.doubtful) doubtful.push({ ...manifestOf(each, revision, path), wrong: each.wrong });
    }
    problems.push(...parsed.findings.map((finding) => ({ ...finding, file: path })));
    yield;
  }
  return { manifests, problems, broken, doubtful, complete: true };
}

/** The same at once. */
export function readFiles(...files: Parameters<typeof reading>): Reading {
  return ended(reading(...files));
}

/** Half of a repository would be misjudged, so none of it is read. */
function tooMany(file: string): Reading {
  const message = `more than ${String(MAX_FILES)} manifests; nothing is read`;
  const hint = 'put several documents into one file, separated by ---';
  const problem: Problem = { code: 'TOO_MANY_FILES', message, hint, file, line: 1, column: 1 };
  return { manifests: [], problems: [problem], broken: [{ path: file, claims: [{}] }], doubtful: [], complete: false };
}

/** What a document says it is. */
export function claimOf({ kind, name, document }: Manifest): Claim {
  const { owner } = document.metadata;
  const gang = document.kind === 'App' ? document.spec.gang : undefined;
  return { kind, name, ...(owner === undefined ? {} : { owner }), ...(gang === undefined ? {} : { gang }) };
}

/** What was made last of each parsed document. */
const known = new WeakMap<ParsedDocument, Manifest>();

/** In a file that has not changed it is the same object in each revision: its lines are those of the first. */
function manifestOf(parsed: ParsedDocument, revision: string, file: string): Manifest {
  const before = known.get(parsed);
  if (before?.origin.file === file) return before;
  const { manifest: document, scalars } = parsed;
  const fields: Record<string, Origin> = {};
  for (const pointer in scalars) {
    const [line, column] = scalars[pointer] ?? [1, 1];
    fields[pointer] = { revision, file, line, column };
  }
  const { kind } = document;
  const { name } = document.metadata;
  const origin = fields['/metadata/name'] ?? { revision, file, line: 1, column: 1 };
  const made = { kind, name, document: withDefaults(kind, document), origin, fields };
  known.set(parsed, made);
  return made;
}

/** What was made last of each manifest, where its spec found nothing wrong. */
const resources = new WeakMap<Manifest, Resource<unknown>>();

/**
 * One kind's manifest as a resource; what its spec finds wrong goes to `say`. Of the same manifest it is the same object for as long as
 * the owner is, so that who compares two catalogs need not look into it.
 */
export function resourceOf<D extends Document, Spec>(
  manifest: Manifest,
  document: D,
  owner: string,
  spec: (document: D, say: Say) => Spec,
  say: Say,
): Resource<Spec> {
  const before = resources.get(manifest) as Resource<Spec> | undefined;
  if (before?.owner === owner) return before;
  let wrong = 0;
  const told: Say = (...words) => {
    wrong += 1;
    say(...words);
  };
  const { name, origin, fields } = manifest;
  const asks = document.kind === 'App' ? asksOf(document) : undefined;
  const labels = document.metadata.labels ?? {};
  const made = { name, owner, labels, spec: spec(document, told), origin, fields, ...(asks ? { asks } : {}) };
  if (wrong === 0) resources.set(manifest, made);
  return made;
}
