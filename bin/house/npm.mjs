import { existsSync, lstatSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { HouseError, ROOT, run, seconds } from './run.mjs';

/**
 * Why `npm ci` must run, or undefined when node_modules holds what package-lock.json says. Versions are compared and
 * not file times: a fresh checkout makes every file new.
 * @param {string} [root]
 */
export function staleModules(root = ROOT) {
  /** @type {Record<string, { version?: string, optional?: boolean }> | undefined} */
  const wanted = json(join(root, 'package-lock.json'))?.packages;
  if (!wanted) throw new HouseError(`${root} has no package-lock.json: this is not a checkout of Plumbline`);
  const modules = join(root, 'node_modules');
  if (!existsSync(modules)) return 'node_modules is missing';
  // npm writes it last
  if (!existsSync(join(modules, '.package-lock.json'))) return 'an earlier npm ci was interrupted';
  for (const [path, { version, optional }] of Object.entries(wanted)) {
    if (path === '' || optional) continue;
    const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
    const have = json(join(root, path, 'package.json'))?.version;
    if (have !== version) return `${name} ${version} is locked, ${have ?? 'none'} is installed`;
  }
  return undefined;
}

/**
 * @param {string} path
 * @returns {any} undefined where there is no such file, or it is torn
 */
function json(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}

/**
 * Runs `npm ci`. A node_modules that is a link belongs to another checkout: it is left alone and used as it is.
 * @param {string} why
 * @param {(line: string) => void} say
 * @param {string} [root]
 */
export async function installModules(why, say, root = ROOT) {
  if (lstatSync(join(root, 'node_modules'), { throwIfNoEntry: false })?.isSymbolicLink())
    return say(`node_modules is a link and not as package-lock.json says (${why}); used as it is`);
  say(`npm ci: ${why}`);
  const start = Date.now();
  const ticker = setInterval(() => say(`  … still installing, ${seconds(start)}`), 10_000);
  const { status, output } = await run('npm', ['ci', '--no-progress'], { cwd: root, timeout: 900_000 });
  clearInterval(ticker);
  if (status !== 0) throw new HouseError(npmReason(status, output));
  say(`npm packages are ready (${seconds(start)})`);
}

/**
 * @param {number} status
 * @param {string} output
 */
export function npmReason(status, output) {
  if (status === 127) return 'npm is missing: install Node.js with npm, 20.19 or later';
  if (status === 124) return 'npm ci took more than 15 minutes: check the network, then try again';
  if (/ENOSPC|no space left/i.test(output)) return 'npm ci failed: the disk is full; make room and try again';
  if (/ENOTFOUND|EAI_AGAIN|ETIMEDOUT|ECONNREFUSED|ECONNRESET|ENETUNREACH/.test(output))
    return 'npm ci failed: the registry cannot be reached; check the network or the proxy (npm config get registry)';
  if (/EUSAGE/.test(output)) {
    const absent = [...output.matchAll(/(?:Missing|Invalid): .*/g)].map(([line]) => `\n  ${line}`);
    return `npm ci refuses package-lock.json, which does not fit package.json; run npm install and commit the lock:${absent.join('')}`;
  }
  if (/EBADENGINE/.test(output)) return `npm ci failed: a package does not support Node ${process.versions.node}`;
  if (/EACCES|EPERM/.test(output))
    return 'npm ci failed: no permission to write node_modules (made by root before?); give it to this user or remove it';
  return `npm ci failed with status ${status}:\n${output.trimEnd().split('\n').slice(-15).join('\n')}`;
}
