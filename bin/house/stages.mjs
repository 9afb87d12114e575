import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { HouseError, ROOT } from './run.mjs';

/**
 * @typedef {object} Stage
 * @property {string} name
 * @property {string} folder below test/
 * @property {number} minutes most a file may take
 * @property {number} atOnce files that run at the same time
 * @property {readonly string[]} [first] names of files that take longest: they begin first, so that none of them runs alone at the end
 * @property {readonly string[]} [beside] names of files that wait nearly all of their time: they run beside the others
 * @property {boolean} [hosts] needs root and the programs of real hosts
 * @property {boolean} [inside] each file runs inside a lab host of its own
 */

/** In the order in which they run: what needs least comes first. @type {readonly Stage[]} */
export const STAGES = [
  { name: 'unit', folder: 'unit', minutes: 2, atOnce: 2 },
  { name: 'property', folder: 'model', minutes: 8, atOnce: 2, first: ['schedules', 'schedules.redis', 'rollout'] },
  { name: 'golden', folder: 'golden', minutes: 2, atOnce: 2 },
  { name: 'conformance', folder: 'conformance', minutes: 2, atOnce: 2 },
  {
    name: 'integration',
    folder: 'integration',
    minutes: 15,
    atOnce: 2,
    first: ['systemd-v2', 'rehearsal', 'fleet-redis', 'systemd-lab'],
    hosts: true,
    inside: true,
  },
  { name: 'e2e', folder: 'e2e', minutes: 10, atOnce: 1, beside: ['memory'], hosts: true },
];

/**
 * What the words after `npm test --` choose: names of stages, and parts of paths that a test file must all contain.
 * @param {readonly string[]} words
 */
export function choose(words) {
  const named = STAGES.filter((stage) => words.includes(stage.name));
  const parts = words.filter((word) => word !== 'check' && !STAGES.some((stage) => stage.name === word));
  const onlyCheck = words.includes('check') && named.length === 0 && parts.length === 0;
  const stages = onlyCheck ? [] : named.length > 0 ? named : STAGES;
  return { check: words.length === 0 || words.includes('check'), stages, parts };
}

/**
 * The test files of a stage in the order in which they begin, from the repository's root, as sources.
 * @param {Stage} stage
 * @param {readonly string[]} parts
 * @param {string} [root]
 */
export function testFiles(stage, parts, root = ROOT) {
  const files = allTests(root).filter(
    (file) => file.startsWith(`test/${stage.folder}/`) && parts.every((part) => file.includes(part)),
  );
  const first = (stage.first ?? []).flatMap((name) => files.filter((file) => file.endsWith(`/${name}.test.ts`)));
  return [...first, ...files.filter((file) => !first.includes(file))];
}

/**
 * The queues from which workers take files: one for as many workers as the stage allows, and one more for those that only wait.
 * @param {Stage} stage
 * @param {readonly string[]} files
 * @returns {string[][]} a queue for each worker; those of one queue are the same array
 */
export function queuesOf(stage, files) {
  const waits = (/** @type {string} */ file) => (stage.beside ?? []).some((name) => file.endsWith(`/${name}.test.ts`));
  const busy = files.filter((file) => !waits(file));
  const idle = files.filter(waits);
  return [...Array.from({ length: stage.atOnce }, () => busy), ...(idle.length > 0 ? [idle] : [])];
}

/**
 * Each test file must belong to a stage, else it would never run.
 * @param {string} [root]
 */
export function checkFolders(root = ROOT) {
  const lost = allTests(root).find((file) => !STAGES.some((stage) => file.startsWith(`test/${stage.folder}/`)));
  const folders = STAGES.map((stage) => `test/${stage.folder}`).join(', ');
  if (lost !== undefined) throw new HouseError(`${lost} belongs to no stage; tests live in ${folders}`);
}

/** @param {string} root */
function allTests(root) {
  if (!existsSync(join(root, 'test'))) return [];
  return readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.test\.(ts|mjs)$/.test(file))
    .map((file) => join('test', file))
    .sort();
}
