import { PlumbError } from '../model/errors.ts';
import { ownText } from '../model/own-text.ts';
import { isManifestPath, MAX_FILE_BYTES, MAX_FILES, MAX_TREE_BYTES } from '../model/source.ts';
import type { SourceFile } from '../model/source.ts';
import type { Git } from './git.ts';
import { READ_DEADLINE } from './mirror.ts';

interface Listed {
  readonly path: string;
  readonly blob: string;
  readonly refused?: NonNullable<SourceFile['refused']>;
}

/** Bytes that one `cat-file` may be asked for at once. */
const BATCH_BYTES = 32 * 1024 * 1024;

/** Applies the limits to `ls-tree -r -z --long` output: manifests, and whatever hides files from us, in order of path. */
function readListing(output: string): readonly (Listed & { readonly size: number })[] {
  const listed: (Listed & { size: number })[] = [];
  let total = 0;
  for (const record of output.split('\0')) {
    // a path and an id are kept for as long as what was read from the file: none is to keep the whole listing
    const match = /^([0-7]{6}) ([a-z]+) ([0-9a-f]+) +(-|\d+)\t([\s\S]+)$/.exec(ownText(record));
    if (!match) continue;
    const [, mode = '', type = '', blob = '', length = '', path = ''] = match;
    const size = Number(length === '-' ? 0 : length);
    const add = (refused?: Listed['refused']): void => {
      listed.push(refused ? { path, blob, size, refused } : { path, blob, size });
    };
    if (mode === '120000') add('symlink');
    else if (type === 'commit') add('submodule');
    else if (!isManifestPath(path)) continue;
    else if (path.includes('\uFFFD')) add('name');
    else if (size > MAX_FILE_BYTES || total + size > MAX_TREE_BYTES) add('too-large');
    else {
      total += size;
      add();
    }
    // one more than is looked at, so that compile can tell that there are too many
    if (listed.length > MAX_FILES) break;
  }
  return listed;
}

function* batches(files: readonly { readonly blob: string; readonly size: number }[]): Generator<readonly string[]> {
  let batch: string[] = [];
  let bytes = 0;
  for (const { blob, size } of files) {
    if (batch.length > 0 && bytes + size > BATCH_BYTES) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(blob);
    bytes += size;
  }
  if (batch.length > 0) yield batch;
}

function splitBatch(output: Buffer, into: Map<string, Uint8Array>): void {
  let at = 0;
  while (at < output.length) {
    const end = output.indexOf(10, at);
    const [id = '', type = '', size = ''] = output.toString('latin1', at, end).split(' ');
    if (type !== 'blob') throw new PlumbError('SOURCE_UNREACHABLE', `The mirror lacks object ${id}; fetch again`);
    const start = end + 1;
    // a copy, so that one small file kept in a cache does not keep the whole batch
    into.set(id, Uint8Array.prototype.slice.call(output, start, start + Number(size)));
    at = start + Number(size) + 1;
  }
}

/** The files of a tree, named by its id or as `COMMIT:FOLDER`. Blobs in `known` are listed without their bytes. Throws when there is none. */
export async function readTree(
  git: Git,
  tree: string,
  known: Pick<ReadonlySet<string>, 'has'>,
): Promise<readonly SourceFile[]> {
  const listed = readListing(await git.text(['ls-tree', '-r', '-z', '--long', '--full-tree', tree], READ_DEADLINE));
  const missing = new Map<string, { readonly blob: string; readonly size: number }>();
  for (const file of listed.slice(0, MAX_FILES))
    if (!file.refused && !known.has(file.blob)) missing.set(file.blob, file);
  const contents = new Map<string, Uint8Array>();
  for (const batch of batches([...missing.values()]))
    splitBatch(await git.objects(['--batch'], `${batch.join('\n')}\n`, READ_DEADLINE), contents);
  return listed.map(({ path, blob, refused }) =>
    refused ? { path, blob, bytes: undefined, refused } : { path, blob, bytes: contents.get(blob) },
  );
}
