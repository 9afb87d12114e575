#!/usr/bin/env node
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { choose, install, unpack } from './house/apt.mjs';
import { withLock } from './house/lock.mjs';
import { installModules, staleModules } from './house/npm.mjs';
import { NEEDS, UNPACKED, explain, family, missing } from './house/packages.mjs';
import { HouseError, ROOT, isMain, main, seconds } from './house/run.mjs';

const HELP = `usage: node bin/setup.mjs [--dry-run]

Makes ready what is missing, and says nothing when nothing is: npm packages, and on Debian or Ubuntu as root what real
hosts need (Docker, Open vSwitch, ...). Services of new packages are not started. PLUMBLINE_NO_APT=1 leaves apt alone.
  --dry-run  say what would be done
`;

/** @type {(line: string) => void} */
const say = (line) => void process.stderr.write(`${line}\n`);

/**
 * Makes npm packages and system programs ready. Safe to run again, and twice at once.
 * @param {{ dryRun?: boolean, needs?: readonly import('./house/packages.mjs').Need[] }} [options]
 * @returns {Promise<{ real: boolean }>} real: this machine can run real hosts, and need not fall back on the simulated runtime
 */
export async function setup({ dryRun = false, needs = NEEDS } = {}) {
  checkNode();
  await modules(dryRun);
  return { real: await programs(needs, dryRun) };
}

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19))
    throw new HouseError(`Plumbline needs Node 20.19 or later; this is ${process.versions.node} (${process.execPath})`);
}

/** @param {boolean} dryRun */
async function modules(dryRun) {
  if (staleModules() === undefined) return;
  if (dryRun) return say(`would run npm ci: ${staleModules()}`);
  await withLock(
    join(ROOT, '.plumbline/setup.lock'),
    async () => {
      const why = staleModules();
      if (why !== undefined) await installModules(why, say);
    },
    (pid) => say(`another set-up runs here (process ${pid}); waiting for it`),
  );
}

/**
 * @param {readonly import('./house/packages.mjs').Need[]} needs
 * @param {boolean} dryRun
 * @returns {Promise<boolean>} whether all are there at the end
 */
async function programs(needs, dryRun) {
  const lacking = missing(needs);
  const obstacle = whyNotApt();
  if (obstacle !== undefined) {
    const names = lacking.map((need) => need.program).join(', ');
    if (lacking.length > 0) say(`${obstacle}: the simulated runtime will be used (missing: ${names})`);
    return isRoot() && lacking.length === 0;
  }
  if (lacking.length === 0) return true;
  if (dryRun) {
    say(`would install with apt:\n${explain(await choose(lacking, say)).join('\n')}`);
    return false;
  }
  await withLock(
    '/run/plumbline-setup.lock',
    () => installPrograms(needs),
    (pid) => say(`another set-up installs packages (process ${pid}); waiting for it`),
  );
  return true;
}

/** @param {readonly import('./house/packages.mjs').Need[]} needs */
async function installPrograms(needs) {
  const lacking = missing(needs);
  if (lacking.length === 0) return;
  const chosen = await choose(lacking, say);
  if (chosen.length === 0) return;
  const start = Date.now();
  say(`installing with apt, without starting services:\n${explain(chosen).join('\n')}`);
  await install([...new Set(chosen.map((need) => need.name))], say);
  const still = missing(needs.filter((need) => !need.optional)).map((need) => need.program);
  if (still.length > 0) throw new HouseError(`after installing, this is still missing: ${still.join(', ')}`);
  say(`packages are ready (${seconds(start)})`);
}

/**
 * Makes ready what can be done without: where it cannot be had, that is said.
 * @param {readonly import('./house/packages.mjs').Need[]} needs
 */
export async function setupExtras(needs) {
  if (whyNotApt() !== undefined || missing(needs).length === 0) return;
  try {
    await programs(needs, false);
  } catch (error) {
    if (!(error instanceof HouseError)) throw error;
    say(`${error.message}\ntests that need it skip themselves`);
  }
}

/** Unpacks what tests start from a folder of its own, below `.plumbline`: where that cannot be had, it is said. */
export async function setupUnpacked() {
  if (whyNotApt() !== undefined) return;
  for (const { name, file, why } of UNPACKED) {
    const folder = join(ROOT, '.plumbline/unpacked', name);
    if (existsSync(join('/', file)) || existsSync(folder)) continue;
    say(`unpacking ${name}, which ${why}, without installing it`);
    await unpack(name, folder).catch((/** @type {unknown} */ error) => {
      if (!(error instanceof HouseError)) throw error;
      say(`${error.message}\ntests that need it skip themselves`);
    });
  }
}

/** Why apt is not used here, or undefined. */
function whyNotApt() {
  if (process.env['PLUMBLINE_NO_APT'] === '1') return 'PLUMBLINE_NO_APT=1';
  const system = family();
  if (system !== 'debian') return `${system} is not Debian or Ubuntu`;
  return isRoot() ? undefined : 'not root';
}

function isRoot() {
  return process.getuid?.() === 0;
}

if (isMain(import.meta.url))
  await main(async () => {
    const argv = process.argv.slice(2);
    if (argv.includes('--help')) process.stdout.write(HELP);
    else await setup({ dryRun: argv.includes('--dry-run') });
    return 0;
  });
