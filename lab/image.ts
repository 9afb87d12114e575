import { readFileSync } from 'node:fs';
import { run } from './process.ts';
import { PlumbError } from '../reconciler/model/errors.ts';

/** One member of a tar archive: a file with content, a symbolic link, or a directory. */
export interface TarEntry {
  readonly path: string;
  readonly mode?: number;
  readonly content?: Uint8Array;
  readonly link?: string;
}

const BLOCK = 512;

function header(entry: TarEntry, size: number): Uint8Array {
  const block = Buffer.alloc(BLOCK);
  const type = entry.link !== undefined ? '2' : entry.content !== undefined ? '0' : '5';
  const octal = (value: number, at: number, width: number): void => {
    block.write(`${value.toString(8).padStart(width - 1, '0')}\0`, at, 'ascii');
  };
  block.write(entry.path, 0, 100, 'utf8');
  octal(entry.mode ?? 0o755, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(size, 124, 12);
  octal(0, 136, 12);
  block.write('        ', 148, 'ascii');
  block.write(type, 156, 'ascii');
  block.write(entry.link ?? '', 157, 100, 'utf8');
  block.write('ustar\x0000', 257, 'ascii');
  block.write(
    `${block
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, '0')}\0 `,
    148,
    'ascii',
  );
  return block;
}

/** A ustar archive (POSIX.1-1988) of entries with paths up to 100 bytes, all owned by root, without times. */
export function tar(entries: readonly TarEntry[]): Uint8Array {
  const blocks = entries.flatMap((entry) => {
    const content = entry.content ?? new Uint8Array();
    return [header(entry, content.length), content, new Uint8Array((BLOCK - (content.length % BLOCK)) % BLOCK)];
  });
  return Buffer.concat([...blocks, new Uint8Array(2 * BLOCK)]);
}

/** True when an ELF file asks for no dynamic loader, so that it runs alone in an image (ELF-64, PT_INTERP = 3). */
export function isStatic(elf: Uint8Array): boolean {
  if (elf.length < 64) return false;
  const view = new DataView(elf.buffer, elf.byteOffset, elf.byteLength);
  if (view.getUint32(0) !== 0x7f454c46 || elf[4] !== 2) return false;
  const little = elf[5] === 1;
  const table = Number(view.getBigUint64(32, little));
  const size = view.getUint16(54, little);
  const n = view.getUint16(56, little);
  return Array.from({ length: n }, (_, i) => table + i * size).every(
    (at) => at + 4 <= elf.length && view.getUint32(at, little) !== 3,
  );
}

// PID 1 of a container ignores SIGTERM unless it handles it
const SERVE = `#!/bin/sh
# Serves /www until it is told to stop.
trap 'kill $! 2>/dev/null; exit 0' TERM INT
httpd -f -p "\${PORT:-80}" -h /www &
wait $!
`;

/** Name of the test images, without tag. */
export const TEST_IMAGE = 'plumbline/busybox';
/** Their tags: the same programs, another /etc/version, index page and label `version`. */
export const TEST_TAGS: readonly string[] = ['1', '2'];
/** Dockerfile instructions that `import` applies to the image of a tag. */
export function imageChanges(tag: string): readonly string[] {
  return ['ENV PATH=/bin', 'CMD ["/bin/serve"]', 'EXPOSE 80', `LABEL version=${tag}`];
}

/** Root file system of the test image with `tag`: a static busybox, a link for each of its applets, a web page. */
export function testImage(busybox: Uint8Array, applets: readonly string[], tag: string): Uint8Array {
  const text = (value: string): Uint8Array => Buffer.from(value);
  const dirs = ['bin', 'etc', 'proc', 'sys', 'dev', 'root', 'run', 'var', 'www'].map((path) => ({ path: `${path}/` }));
  const links = applets.filter((name) => name !== 'busybox').map((name) => ({ path: `bin/${name}`, link: 'busybox' }));
  return tar([
    ...dirs,
    { path: 'tmp/', mode: 0o1777 },
    { path: 'bin/busybox', content: busybox },
    ...links,
    { path: 'bin/serve', content: text(SERVE) },
    {
      path: 'etc/passwd',
      mode: 0o644,
      content: text('root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n'),
    },
    { path: 'etc/group', mode: 0o644, content: text('root:x:0:\nnogroup:x:65534:\n') },
    { path: 'etc/version', mode: 0o644, content: text(`${tag}\n`) },
    { path: 'www/index.html', mode: 0o644, content: text(`plumbline ${tag}\n`) },
  ]);
}

/** The machine's busybox and the names of its applets. Throws MISSING_PROGRAM when it is not a static one. */
export async function readBusybox(
  path: string,
  signal?: AbortSignal,
): Promise<{ readonly elf: Uint8Array; readonly applets: readonly string[] }> {
  const elf = readFileSync(path);
  if (!isStatic(elf))
    throw new PlumbError(
      'MISSING_PROGRAM',
      `${path} is not statically linked; install it with: apt-get install busybox-static`,
    );
  const { stdout } = await run([path, '--list'], { signal });
  return { elf, applets: stdout.split('\n').filter((name) => name !== '') };
}
