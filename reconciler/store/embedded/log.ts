import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDirectory } from '../../../disk/directory.ts';
import { DRAFT, replaceFile } from '../../../disk/replace.ts';
import { readAssignment, readNotice } from '../../model/protocol.ts';
import { diskError, openDurable } from '../durable.ts';
import type { DurableFile } from '../durable.ts';
import { applyRecord, baseOf, createMemory } from './memory.ts';
import type { Memory } from './memory.ts';
import { checkHeader, decodeLine, encodeLine, HEADER } from './records.ts';
import type { StoreRecord } from './records.ts';

/** The store's log: a base and what changed since. */
export interface Log {
  /** One durable write, all or nothing. Throws DISK_FULL. */
  append(records: readonly StoreRecord[]): Promise<void>;
  /** Writes a new log that begins with the memory, once the changes outweigh the base. */
  compact(memory: Memory): Promise<void>;
  close(): Promise<void>;
}

/** Below this many bytes a log is not worth compacting. */
const SMALL: number = 1024 * 1024;

const NAME = /^(\d{8})\.log$/;

function logPath(directory: string, number: number): string {
  return join(directory, `${String(number).padStart(8, '0')}.log`);
}

async function logNumbers(directory: string): Promise<number[]> {
  const names = await readdir(directory);
  // a draft that a kill left
  for (const name of names.filter((one) => one.endsWith(DRAFT))) await rm(join(directory, name), { force: true });
  return names
    .flatMap((name) => NAME.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b);
}

/** Reads a log; a torn last line is left out of `size`. Throws STORE_UNAVAILABLE, PROTOCOL_MISMATCH. */
function load(bytes: Buffer, path: string): { readonly memory: Memory; readonly size: number; readonly base: number } {
  const size = bytes.lastIndexOf(10) + 1;
  const lines = bytes.toString('utf8', 0, size).split('\n').slice(0, -1);
  checkHeader(lines[0] ?? '', path);
  let memory = createMemory();
  for (const [index, line] of lines.slice(1).entries())
    for (const record of decodeLine(line, `${path}, line ${String(index + 2)}`))
      if (record.type === 'base') memory = createMemory(record);
      else applyRecord(memory, record);
  for (const assignment of memory.assignments.values()) readAssignment(assignment);
  if (memory.notice) readNotice(memory.notice);
  return { memory, size, base: Buffer.byteLength(lines[0] ?? '') + Buffer.byteLength(lines[1] ?? '') };
}

/** Puts a whole log into place; gives its size in bytes. */
async function writeLog(directory: string, number: number, memory: Memory): Promise<number> {
  const path = logPath(directory, number);
  const text = HEADER + encodeLine([baseOf(memory)]);
  try {
    await replaceFile(path, text);
  } catch (error) {
    throw diskError(error, path);
  }
  return Buffer.byteLength(text);
}

/** Opens the log of a directory and what it says; makes both when there is none. */
export async function openLog(directory: string): Promise<{ readonly log: Log; readonly memory: Memory }> {
  let numbers: number[];
  try {
    await makeDirectory(directory, 0o700);
    numbers = await logNumbers(directory);
  } catch (error) {
    throw diskError(error, directory);
  }
  let number = numbers.at(-1) ?? 1;
  if (numbers.length === 0) await writeLog(directory, number, createMemory());
  // compaction removes the old log last: the newest is always whole
  for (const old of numbers.slice(0, -1)) await rm(logPath(directory, old), { force: true });
  const loaded = load(await readFile(logPath(directory, number)), logPath(directory, number));
  let base = loaded.base;
  let file: DurableFile = await openDurable(logPath(directory, number), loaded.size);
  let next = 0;

  async function compact(memory: Memory): Promise<void> {
    if (file.size < Math.max(SMALL, 3 * base) || file.size < next) return;
    // a full disk may refuse it: then not before another mebibyte
    next = file.size + SMALL;
    const path = logPath(directory, number + 1);
    let size: number;
    let opened: DurableFile;
    try {
      size = await writeLog(directory, number + 1, memory);
      opened = await openDurable(path, size);
    } catch (error) {
      // the next start would take it for the newest
      await rm(path, { force: true });
      throw error;
    }
    const old = file;
    [file, base, number, next] = [opened, size, number + 1, 0];
    await old.close();
    await rm(old.path, { force: true });
  }

  return {
    memory: loaded.memory,
    log: {
      append: (records) => file.append(encodeLine(records)),
      compact,
      close: () => file.close(),
    },
  };
}
