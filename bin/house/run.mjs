import { spawn } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository's root, without a trailing slash. */
export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** A failure that a person can act on: printed without a stack trace. */
export class HouseError extends Error {}

/**
 * @typedef {object} RunOptions
 * @property {string} [cwd]
 * @property {NodeJS.ProcessEnv} [env]
 * @property {number} [timeout] milliseconds; the process is ended then
 * @property {boolean} [inherit] show the output instead of collecting it
 * @property {(line: string) => void} [onLine] each line of stdout and stderr as it comes
 * @property {AbortSignal} [signal]
 */

/**
 * Runs a program without a shell and waits for it. `status` is 128 + n for signal n, 127 when the program does not exist, 124 after the timeout.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {RunOptions} [options]
 * @returns {Promise<{ status: number, output: string }>} output: stdout and stderr in order of arrival
 */
export function run(command, args, options = {}) {
  const { cwd = ROOT, env = process.env, timeout = 600_000, inherit = false, onLine, signal } = options;
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd, env, stdio: inherit ? 'inherit' : ['ignore', 'pipe', 'pipe'] });
    let output = '';
    let rest = '';
    let timedOut = false;
    /** @param {Buffer} chunk */
    const take = (chunk) => {
      const text = chunk.toString();
      output += text;
      if (!onLine) return;
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      lines.forEach((line) => onLine(line));
    };
    child.stdout?.on('data', take);
    child.stderr?.on('data', take);
    const timer = setTimeout(() => {
      timedOut = true;
      stop(child);
    }, timeout);
    const abort = () => stop(child);
    signal?.addEventListener('abort', abort, { once: true });
    child.on('error', (error) => {
      clearTimeout(timer);
      resolve({ status: 127, output: `${command}: ${error.message}` });
    });
    child.on('close', (code, killed) => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
      if (rest !== '') onLine?.(rest);
      resolve({ status: timedOut ? 124 : (code ?? 128 + signalNumber(killed)), output });
    });
  });
}

/**
 * Asks the process to end, and ends it after five seconds.
 * @param {import('node:child_process').ChildProcess} child
 */
function stop(child) {
  child.kill('SIGTERM');
  setTimeout(() => child.kill('SIGKILL'), 5000).unref();
}

/** @param {NodeJS.Signals | null} name */
export function signalNumber(name) {
  return name === 'SIGINT' ? 2 : name === 'SIGHUP' ? 1 : name === 'SIGKILL' ? 9 : 15;
}

/**
 * Whether the file is the program that was started, and not imported by another.
 * @param {string} url import.meta.url
 */
export function isMain(url) {
  return process.argv[1] !== undefined && fileURLToPath(url) === realpathSync(process.argv[1]);
}

/**
 * Runs a script's main function: its number becomes the exit status; a HouseError is one line on stderr and status 1.
 * @param {() => Promise<number>} body
 */
export async function main(body) {
  try {
    process.exitCode = await body();
  } catch (error) {
    if (!(error instanceof HouseError)) throw error;
    process.stderr.write(`plumbline: ${error.message}\n`);
    process.exitCode = 1;
  }
}

/** @param {number} start result of Date.now() */
export function seconds(start) {
  return `${((Date.now() - start) / 1000).toFixed(1)} s`;
}
