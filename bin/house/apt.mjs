import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startTime } from './lock.mjs';
import { HouseError, run } from './run.mjs';

/** @typedef {(line: string) => void} Say */

const ENV = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', NEEDRESTART_MODE: 'l', LC_ALL: 'C' };
const POLICY = '/usr/sbin/policy-rc.d';
/** What may go: packages that `busybox-static` and `iputils-arping` replace. */
const REPLACEABLE = ['busybox', 'arping'];
const MARK = 'plumbline bin/setup.mjs';

/**
 * The packages to install for what is missing, without what is optional and not offered. The lists are fetched first where this machine has none.
 * @template {import('./packages.mjs').Need} N
 * @param {readonly N[]} needs
 * @param {Say} say
 */
export async function choose(needs, say) {
  if (!hasLists()) await update('this machine has no package lists yet', say);
  const known = await candidates([...new Set(needs.flatMap((need) => need.debian))]);
  return needs.flatMap((need) => {
    const name = need.debian.find((one) => known.has(one));
    if (name === undefined && need.optional) return [];
    return [{ program: need.program, why: need.why, name: name ?? need.debian.at(-1) ?? need.program }];
  });
}

/**
 * Installs packages without starting their services. Waits while another apt runs; fetches the lists again when they are too old.
 * @param {readonly string[]} names
 * @param {Say} say
 */
export async function install(names, say) {
  const args = ['install', '-y', '-q', '--no-install-recommends', ...names];
  await withoutServices(async () => {
    const first = (await refusal(names)) ?? (await apt(args, say));
    if (first.status === 0) return;
    if (!listsAreOld(first.output)) throw new HouseError(reason(first.output, names));
    await update('the package lists are too old', say);
    const second = (await refusal(names)) ?? (await apt(args, say));
    if (second.status !== 0) throw new HouseError(reason(second.output, names));
  });
}

/**
 * Docker's own packages and Debian's exclude each other, and so may others: nothing that somebody chose is taken away.
 * @param {readonly string[]} names
 * @returns {Promise<{ status: number, output: string } | undefined>} apt's answer where it fails already when it only pretends
 */
async function refusal(names) {
  const args = ['install', '-s', '-q', '--no-install-recommends', ...names];
  const pretended = await run('apt-get', args, { env: ENV, timeout: 60_000 });
  if (pretended.status !== 0) return pretended;
  const gone = removed(pretended.output).filter((name) => !REPLACEABLE.includes(name));
  if (gone.length > 0)
    throw new HouseError(
      `installing ${names.join(' ')} would remove ${gone.join(' ')}: do it by hand, or set PLUMBLINE_NO_APT=1`,
    );
  return undefined;
}

/**
 * What an `apt-get install -s` would remove.
 * @param {string} output
 */
export function removed(output) {
  return [...output.matchAll(/^Remv (\S+)/gm)].flatMap(([, name]) => name ?? []);
}

/**
 * Unpacks a package, with those that it needs and that this machine has not, into a folder: nothing is installed, so that it takes no other's place. The folder is there once all is in it.
 * @param {string} name
 * @param {string} folder
 */
export async function unpack(name, folder) {
  const draft = `${folder}.${process.pid}`;
  rmSync(draft, { recursive: true, force: true });
  mkdirSync(join(draft, 'root'), { recursive: true });
  try {
    const args = ['install', '-s', '-q', '--no-install-recommends', name];
    const names = installed(await output('apt-get', args, name, draft));
    await output('apt-get', ['download', '-q', ...names], name, draft);
    for (const file of readdirSync(draft).filter((one) => one.endsWith('.deb')))
      await output('dpkg', ['-x', file, 'root'], name, draft);
    mkdirSync(dirname(folder), { recursive: true });
    renameSync(join(draft, 'root'), folder);
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

/**
 * What a program says that has to end well.
 * @param {string} program
 * @param {readonly string[]} args
 * @param {string} name of the package that it is for
 * @param {string} cwd
 */
async function output(program, args, name, cwd) {
  const result = await run(program, args, { env: ENV, cwd, timeout: 300_000 });
  if (result.status !== 0) throw new HouseError(reason(result.output, [name]));
  return result.output;
}

/**
 * What an `apt-get install -s` would install.
 * @param {string} output
 */
export function installed(output) {
  return [...output.matchAll(/^Inst (\S+)/gm)].flatMap(([, name]) => name ?? []);
}

/**
 * @param {string} why
 * @param {Say} say
 */
async function update(why, say) {
  say(`apt-get update: ${why}`);
  const { status, output } = await apt(['update', '-q'], say);
  if (status !== 0) throw new HouseError(reason(output, []));
}

/**
 * @param {readonly string[]} args
 * @param {Say} say
 */
async function apt(args, say) {
  const deadline = Date.now() + 600_000;
  let told = false;
  for (;;) {
    const done = progress(say);
    const result = await run('apt-get', args, { env: ENV, timeout: 1_200_000, onLine: done.line });
    done.stop();
    if (!isLocked(result.output) || result.status === 0 || Date.now() > deadline) return result;
    if (!told) say(`another apt or dpkg is at work; waiting up to ten minutes (${lockHolder(result.output)})`);
    told = true;
    await sleep(3000);
  }
}

/**
 * Says what apt does, at most every ten seconds.
 * @param {Say} say
 */
function progress(say) {
  let last = '';
  const timer = setInterval(() => {
    if (last !== '') say(`  … ${last.slice(0, 100)}`);
  }, 10_000);
  return {
    /** @param {string} line */
    line: (line) => {
      if (/^(Get:|Unpacking|Setting up|Processing)/.test(line)) last = line;
    },
    stop: () => clearInterval(timer),
  };
}

/**
 * The packages that the lists offer.
 * @param {readonly string[]} names
 */
async function candidates(names) {
  const { output } = await run('apt-cache', ['policy', ...names], { env: ENV, timeout: 60_000 });
  return offered(output);
}

/**
 * Names that have a candidate, from the output of `apt-cache policy`.
 * @param {string} policy
 */
export function offered(policy) {
  const blocks = policy.split(/^(?=\S)/m).map((block) => /^(\S+):\n(?:.*\n)*? {2}Candidate: (.+)/.exec(block));
  return new Set(blocks.flatMap((block) => (block?.[1] !== undefined && block[2] !== '(none)' ? [block[1]] : [])));
}

function hasLists() {
  try {
    return readdirSync('/var/lib/apt/lists').some((name) => /_Packages(\.\w+)?$/.test(name));
  } catch {
    return false;
  }
}

/** @param {string} output */
function listsAreOld(output) {
  return /Unable to locate package|has no installation candidate|404 +Not Found|Unable to fetch some archives/.test(
    output,
  );
}

/** @param {string} output */
function isLocked(output) {
  return /Could not get lock|Unable to acquire the dpkg|Unable to lock (the administration )?directory/.test(output);
}

/** @param {string} output */
function lockHolder(output) {
  return /held by process (\d+ \([^)]*\))/.exec(output)?.[1] ?? 'it holds the package lock';
}

/**
 * What went wrong and what to do, from apt's output.
 * @param {string} output
 * @param {readonly string[]} names
 */
export function reason(output, names) {
  const what = names.length === 0 ? 'apt-get update failed' : `apt-get could not install ${names.join(' ')}`;
  const skip = 'or set PLUMBLINE_NO_APT=1 to go on without real hosts';
  if (/No space left on device|don't have enough free space/.test(output))
    return `${what}: the disk is full; make room under /var and /usr (apt-get clean frees downloads), ${skip}`;
  if (isLocked(output))
    return `${what}: another apt or dpkg has held the package lock for ten minutes; try again when it is done`;
  if (/dpkg was interrupted/.test(output))
    return `${what}: an earlier dpkg was interrupted; run dpkg --configure -a, then try again`;
  if (
    /Temporary failure resolving|Could not resolve|Could not connect|Network is unreachable|Connection (timed out|refused)/.test(
      output,
    )
  )
    return `${what}: the package servers cannot be reached; check the network or the proxy (http_proxy), ${skip}`;
  const lines = output.split('\n').filter((line) => /^(E:|dpkg: error)/.test(line));
  return `${what}; look at the lines below, ${skip}\n${(lines.length > 0 ? lines : output.trimEnd().split('\n').slice(-8)).map((line) => `  ${line}`).join('\n')}`;
}

/**
 * Installs with services held back: a system-wide dockerd or vswitchd would only stand beside those of the lab. An
 * administrator's own policy is left as it is. The policy that we put there allows everything as soon as this process is gone, so that
 * even kill -9 cannot leave a machine whose services do not start; the next set-up removes the file.
 * @param {() => Promise<void>} body
 * @param {string} [path]
 */
export async function withoutServices(body, path = POLICY) {
  removeOurs(path);
  if (existsSync(path)) return body();
  writeFileSync(path, policy(process.pid), { mode: 0o755, flag: 'wx' });
  const drop = () => removeOurs(path);
  process.once('exit', drop);
  try {
    await body();
  } finally {
    process.removeListener('exit', drop);
    drop();
  }
}

/** @param {number} pid */
function policy(pid) {
  return `#!/bin/sh
# ${MARK}: no service starts while process ${pid} installs packages
[ "$(sed 's/.*) //' /proc/${pid}/stat 2>/dev/null | cut -d' ' -f20)" = ${startTime(pid)} ] && exit 101
exit 0
`;
}

/** @param {string} path */
function removeOurs(path) {
  try {
    if (readFileSync(path, 'utf8').includes(MARK)) rmSync(path);
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'ENOENT') throw error;
  }
}
