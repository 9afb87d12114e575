import { PlumbError } from '../../reconciler/model/errors.ts';
import type { DockerClient } from './client.ts';

/** The program that holds a sandbox's namespaces: a static ELF that only waits, for each processor, and the image made of it. */

/** One instruction: what an assembler would be given, and its bytes. */
type Code = readonly (readonly [assembler: string, ...bytes: readonly number[]])[];

const X86_64: Code = [
  ['again: mov eax, 34   ; pause', 0xb8, 34, 0, 0, 0],
  ['syscall', 0x0f, 0x05],
  ['jmp again', 0xeb, -9 & 0xff],
];

// arm64 has no pause: ppoll on nothing, for ever. The kernel returns into x0, so all is set again.
const ARM64: Code = [
  ['again: mov x0, 0     ; no descriptors', ...word(0xd2800000)],
  ['mov x1, 0            ; none of them', ...word(0xd2800001)],
  ['mov x2, 0            ; no timeout', ...word(0xd2800002)],
  ['mov x3, 0            ; signal mask as it is', ...word(0xd2800003)],
  ['mov x4, 0', ...word(0xd2800004)],
  ['mov x8, 73           ; ppoll', ...word(0xd2800008 | (73 << 5))],
  ['svc 0', ...word(0xd4000001)],
  ['b again', ...word(0x14000000 | (-7 & 0x3ffffff))],
];

/** By Docker's name of the processor; `machine` is the ELF number. */
const PROCESSORS: Readonly<Record<string, { readonly machine: number; readonly code: Code }>> = {
  amd64: { machine: 62, code: X86_64 },
  arm64: { machine: 183, code: ARM64 },
};

const ELF_HEADER = 64;
const PROGRAM_HEADER = 56;
const LOAD_ADDRESS = 0x400000n;

function word(value: number): readonly number[] {
  return [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24];
}

/** The program for Docker's `amd64` or `arm64`; undefined for any other. Layout: elf(5). */
export function pauseProgram(arch: string): Buffer | undefined {
  const processor = PROCESSORS[arch];
  if (!processor) return undefined;
  const code = Buffer.from(processor.code.flatMap(([, ...bytes]) => bytes));
  const headers = ELF_HEADER + PROGRAM_HEADER;
  const elf = Buffer.concat([Buffer.alloc(headers), code]);
  elf.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]); // magic, 64 bits, little-endian, version
  elf.writeUInt16LE(2, 16); // executable
  elf.writeUInt16LE(processor.machine, 18);
  elf.writeUInt32LE(1, 20);
  elf.writeBigUInt64LE(LOAD_ADDRESS + BigInt(headers), 24); // entry
  elf.writeBigUInt64LE(BigInt(ELF_HEADER), 32); // where the program headers are
  elf.writeUInt16LE(ELF_HEADER, 52);
  elf.writeUInt16LE(PROGRAM_HEADER, 54);
  elf.writeUInt16LE(1, 56);
  elf.writeUInt32LE(1, 64); // load
  elf.writeUInt32LE(5, 68); // readable, executable
  elf.writeBigUInt64LE(LOAD_ADDRESS, 80);
  elf.writeBigUInt64LE(LOAD_ADDRESS, 88);
  elf.writeBigUInt64LE(BigInt(elf.length), 96); // in the file
  elf.writeBigUInt64LE(BigInt(elf.length), 104); // in memory
  elf.writeBigUInt64LE(0x10000n, 112); // alignment: pages of 4 to 64 KiB
  return elf;
}

/** A tar (ustar) of one executable file. */
export function tarOf(name: string, content: Buffer): Buffer {
  const header = Buffer.alloc(512);
  const octal = (value: number, length: number): string => `${value.toString(8).padStart(length - 1, '0')}\0`;
  header.write(name, 0);
  header.write(octal(0o755, 8), 100);
  header.write(octal(0, 8), 108);
  header.write(octal(0, 8), 116);
  header.write(octal(content.length, 12), 124);
  header.write(octal(0, 12), 136);
  header.write('        ', 148);
  header.write('0', 156);
  header.write('ustar\x0000', 257);
  header.write(
    octal(
      header.reduce((sum, byte) => sum + byte, 0),
      7,
    ),
    148,
  );
  const padding = Buffer.alloc((512 - (content.length % 512)) % 512);
  return Buffer.concat([header, content, padding, Buffer.alloc(1024)]);
}

/** Imports the image for the engine's processor. Throws CONTAINER_FAILED where there is no program for it. */
export async function importPause(
  client: DockerClient,
  image: { readonly name: string; readonly tag: string },
  signal: AbortSignal,
): Promise<void> {
  const { arch } = await client.engine.version(signal);
  const program = pauseProgram(arch);
  if (!program) {
    const words = `there is no pause program for ${arch} (amd64 and arm64 only); load an image ${image.name}:${image.tag} whose /pause only waits`;
    throw new PlumbError('CONTAINER_FAILED', words, { arch });
  }
  await client.images.import(tarOf('pause', program), image.name, image.tag, ['ENTRYPOINT ["/pause"]'], signal);
}
