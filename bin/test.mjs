#!/usr/bin/env node
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from './build.mjs';
import { check } from './check.mjs';
import { TEST_NEEDS } from './house/packages.mjs';
import { HouseError, isMain, main, seconds, signalNumber } from './house/run.mjs';
import { STAGES, checkFolders, choose, queuesOf, testFiles } from './house/stages.mjs';
import { runTestFile } from './house/testfile.mjs';
import { setup, setupExtras, setupUnpacked } from './setup.mjs';

const HELP = `usage: npm test [-- [STAGE…] [PART OF A PATH…]]

Sets up what is missing, then runs check and every stage: ${STAGES.map((stage) => stage.name).join(', ')}.
With words it runs less: \`npm test -- unit place\` runs the unit tests whose path contains "place".
`;

/** @typedef {import('./house/reporter.mjs').TestResult & { file: string }} Result */
/** @typedef {{ stage: string, results: readonly Result[], time: string }} StageReport */

/** @type {(line: string) => void} */
const say = (line) => void process.stdout.write(`${line}\n`);

/**
 * Runs a stage's files, as many at once as it allows.
 * @param {import('./house/stages.mjs').Stage} stage
 * @param {readonly string[]} files
 * @param {{ real: boolean, signal: AbortSignal, folder: string }} options
 * @returns {Promise<StageReport>}
 */
async function runStage(stage, files, { real, signal, folder }) {
  const start = Date.now();
  /** @type {Result[]} */
  const results = [];
  const inside = stage.inside === true && real;
  /** @param {string[]} queue */
  const worker = async (queue) => {
    for (let file = queue.shift(); file !== undefined && !signal.aborted; file = queue.shift()) {
      const began = Date.now();
      const found = mayRun(stage, real)
        ? await runTestFile(file, { minutes: stage.minutes, inside, signal, folder })
        : [{ result: /** @type {const} */ ('skipped'), name: file, time: 0, why: 'needs Docker and Open vSwitch' }];
      results.push(...found.map((result) => ({ ...result, file: file ?? '' })));
      const failed = found.filter((result) => result.result === 'failed').length;
      if (failed > 0 || stage.hosts === true) say(`  ${failed > 0 ? 'FAILED' : 'ok    '}  ${file}  ${seconds(began)}`);
    }
  };
  await Promise.all(queuesOf(stage, files).map(worker));
  return { stage: stage.name, results, time: seconds(start) };
}

/**
 * Without root the files are loaded and their tests skip themselves, each with its reason; as root they would not.
 * @param {import('./house/stages.mjs').Stage} stage
 * @param {boolean} real
 */
function mayRun(stage, real) {
  return stage.hosts !== true || real || process.getuid?.() !== 0;
}

/**
 * @param {readonly Result[]} results
 * @returns {string} `N passed, N failed, N skipped`
 */
export function tally(results) {
  /** @type {(what: string) => number} */
  const count = (what) => results.filter((result) => result.result === what).length;
  return `${count('passed')} passed, ${count('failed')} failed, ${count('skipped')} skipped`;
}

/** @param {readonly StageReport[]} reports */
function printReport(reports) {
  const all = reports.flatMap((report) => report.results);
  const failed = all.filter((result) => result.result === 'failed');
  for (const { file, name, error } of failed) say(`\n── ${file}: ${name}\n${indent(error ?? '')}`);
  const reasons = new Map();
  for (const { result, why } of all) if (result === 'skipped') reasons.set(why, (reasons.get(why) ?? 0) + 1);
  say('');
  for (const [why, count] of reasons) say(`skipped: ${why} (${count})`);
  for (const { stage, results, time } of reports) say(`${stage.padEnd(11)}  ${tally(results)}, ${time}`);
  say(tally(all));
}

/** @param {string} text */
function indent(text) {
  const lines = text.split('\n');
  const shown = lines.length > 80 ? [...lines.slice(0, 80), `… ${lines.length - 80} more lines`] : lines;
  return shown.map((line) => `   ${line}`).join('\n');
}

/** @returns {Promise<StageReport>} */
async function checkStage() {
  const start = Date.now();
  const parts = await check([], (line) => say(`  ${line.replaceAll('\n', '\n  ')}`));
  const results = parts.map((part) => ({
    result: /** @type {'passed' | 'failed'} */ (part.ok ? 'passed' : 'failed'),
    name: part.name,
    file: 'check',
    time: 0,
    error: part.output,
  }));
  return { stage: 'check', results, time: seconds(start) };
}

/** @returns {Promise<StageReport | undefined>} */
async function buildProblem() {
  const start = Date.now();
  try {
    await build();
    return undefined;
  } catch (error) {
    if (!(error instanceof HouseError)) throw error;
    const result = /** @type {const} */ ('failed');
    const results = [{ result, name: 'tests cannot run', file: 'build', time: 0, error: error.message }];
    return { stage: 'build', results, time: seconds(start) };
  }
}

/** @param {readonly string[]} words */
async function test(words) {
  checkFolders();
  const chosen = choose(words);
  const { real } = await setup(chosen.stages.some((stage) => stage.hosts === true) ? {} : { needs: [] });
  if (real && chosen.stages.some((stage) => stage.inside === true)) {
    await setupExtras(TEST_NEEDS);
    await setupUnpacked();
  }
  /** @type {StageReport[]} */
  const reports = [];
  if (chosen.check) {
    say('check');
    reports.push(await checkStage());
  }
  const broken = await buildProblem();
  if (broken) {
    reports.push(broken);
    printReport(reports);
    return 1;
  }
  const stop = new AbortController();
  let status = 0;
  for (const name of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP']))
    process.on(name, () => {
      status = 128 + signalNumber(name);
      stop.abort();
    });
  const folder = mkdtempSync(join(tmpdir(), 'plumbline-test-'));
  try {
    for (const stage of chosen.stages) {
      const files = testFiles(stage, chosen.parts);
      if (files.length === 0 || stop.signal.aborted) continue;
      say(`${stage.name}: ${files.length} ${files.length === 1 ? 'file' : 'files'}`);
      reports.push(await runStage(stage, files, { real, signal: stop.signal, folder }));
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  printReport(reports);
  const results = reports.flatMap((report) => report.results);
  if (status !== 0) return status;
  return results.length > 0 && results.every((result) => result.result !== 'failed') ? 0 : 1;
}

if (isMain(import.meta.url))
  await main(async () => {
    const words = process.argv.slice(2);
    if (words.includes('--help')) {
      process.stdout.write(HELP);
      return 0;
    }
    return test(words);
  });
