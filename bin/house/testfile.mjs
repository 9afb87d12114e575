import { spawn } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ROOT } from './run.mjs';

/** @typedef {import('./reporter.mjs').TestResult} TestResult */

const REPORTER = fileURLToPath(new URL('./reporter.mjs', import.meta.url));
const SEED = new URL('./seed.mjs', import.meta.url).href;
/** Takes a fresh lab host, runs a command in it, and takes the host down, also when it is asked to end. */
const IN_FRESH_HOST = join(ROOT, 'dist/lab/runtest.js');

/**
 * Runs one test file in a process of its own. Whatever happens to the process, the results say so.
 * @param {string} file source, from the root
 * @param {{ minutes: number, inside: boolean, signal: AbortSignal, folder: string }} options folder: for the reports
 * @returns {Promise<readonly TestResult[]>}
 */
export async function runTestFile(file, { minutes, inside, signal, folder }) {
  const report = join(folder, `${file.replaceAll('/', '_')}.ndjson`);
  const script = file.endsWith('.mjs') ? join(ROOT, file) : join(ROOT, 'dist', file.replace(/\.ts$/, '.js'));
  const seeded = /^test\/(model|unit)\//.test(file) ? [`--import=${SEED}`] : [];
  const told = [`--test-reporter=${REPORTER}`, `--test-reporter-destination=${report}`];
  const test = ['--enable-source-maps', ...seeded, ...told, script];
  const args = inside ? [IN_FRESH_HOST, process.execPath, ...test] : test;
  const start = Date.now();
  // a host is taken down by the process that made it, so that one is asked first and given time
  const ended = await endOf(args, { timeout: minutes * 60_000, signal, grace: inside ? 60_000 : 5000, alone: inside });
  const results = parseReport(read(report), file, ended, Date.now() - start);
  rmSync(report, { force: true });
  return results;
}

/**
 * @typedef {object} Ended
 * @property {number | null} code
 * @property {NodeJS.Signals | null} killed
 * @property {boolean} late did not end within its time
 * @property {string} output stdout and stderr
 * @property {number} minutes
 */

/**
 * @param {readonly string[]} args
 * @param {{ timeout: number, signal: AbortSignal, grace: number, alone: boolean }} options alone: at first only the process itself is asked to end, not what it started
 * @returns {Promise<Ended>}
 */
function endOf(args, { timeout, signal, grace, alone }) {
  return new Promise((resolve) => {
    // a process group of its own: what a hanging test started goes with it
    const child = spawn(process.execPath, args, { cwd: ROOT, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    const pid = child.pid ?? 0;
    let output = '';
    let late = false;
    /** @type {NodeJS.Timeout | undefined} */
    let last;
    /** @param {Buffer} chunk */
    const take = (chunk) => void (output = (output + chunk.toString()).slice(-100_000));
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    const stop = () => {
      end(alone ? pid : -pid, 'SIGTERM');
      last ??= setTimeout(() => end(-pid, 'SIGKILL'), grace);
    };
    const timer = setTimeout(() => {
      late = true;
      stop();
    }, timeout);
    signal.addEventListener('abort', stop, { once: true });
    /** @type {(code: number | null, killed: NodeJS.Signals | null) => void} */
    const finish = (code, killed) => {
      clearTimeout(timer);
      clearTimeout(last);
      signal.removeEventListener('abort', stop);
      resolve({ code, killed, late, output, minutes: timeout / 60_000 });
    };
    child.on('error', (error) => {
      output += error.message;
      finish(127, null);
    });
    child.on('exit', (code, killed) => {
      // a left-over of the test may hold the pipes open: it is ended, and its last words are not waited for
      if (pid > 0) end(-pid, 'SIGKILL');
      setTimeout(() => finish(code, killed), 20);
    });
  });
}

/**
 * @param {number} pid negative: the whole group
 * @param {NodeJS.Signals} name
 */
function end(pid, name) {
  try {
    process.kill(pid, name);
  } catch {
    // it has ended already
  }
}

/**
 * The results in a report, and one more failure for what it cannot hold: a crash, a hang, a file without tests.
 * @param {string} report
 * @param {string} file
 * @param {Ended} ended
 * @param {number} time
 * @returns {readonly TestResult[]}
 */
export function parseReport(report, file, ended, time) {
  const lines = report.split('\n').filter((line) => line.endsWith('}'));
  const records = lines.map((line) => JSON.parse(line));
  const complete = records.some((record) => record.end === true);
  /** @type {TestResult[]} */
  const results = records.filter((record) => record.result !== undefined);
  const failed = results.some((result) => result.result === 'failed');
  const trouble = troubleOf(ended, complete, results.length, failed);
  if (trouble === undefined) return results;
  const notes = records.flatMap((record) => (record.note === undefined ? [] : [record.note]));
  const tail = [...notes, ...ended.output.trimEnd().split('\n').slice(-20)].join('\n').trim();
  return [
    ...results,
    { result: 'failed', name: file, time, error: tail === '' ? trouble : `${trouble}; its last words:\n${tail}` },
  ];
}

/**
 * @param {Ended} ended
 * @param {boolean} complete
 * @param {number} count
 * @param {boolean} failed
 */
function troubleOf({ late, killed, code, minutes }, complete, count, failed) {
  if (late) return `did not end within ${minutes} minutes (something still open, or a wait without a deadline)`;
  if (killed !== null) return `was ended by ${killed}`;
  if (code === 0 && count === 0) return 'holds no test';
  if (!complete) return `ended early with status ${code}`;
  return code !== 0 && !failed ? `ended with status ${code} although no test failed` : undefined;
}

/** @param {string} path */
function read(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
