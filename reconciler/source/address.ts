import { createHash } from 'node:crypto';
import { isAbsolute, resolve } from 'node:path';
import { PlumbError } from '../model/errors.ts';

export type Transport = 'file' | 'http' | 'https' | 'ssh' | 'git';

/** A Git address that passed the checks. `url` is what git is given; a local path is absolute. */
export interface Address {
  readonly url: string;
  readonly transport: Transport;
}

/** What of the repository is wanted; the remote's own HEAD when nothing is said. */
export type WantedRef =
  | { readonly branch: string }
  | { readonly tag: string }
  /** A full or abbreviated (7 and more digits) object id. */
  | { readonly commit: string };

const SCHEMES: Readonly<Record<string, Transport>> = {
  'file:': 'file',
  'http:': 'http',
  'https:': 'https',
  'ssh:': 'ssh',
  'git:': 'git',
};

function refuse(what: string, value: string, why: string): never {
  const shown = JSON.stringify(value.length > 200 ? `${value.slice(0, 200)}…` : value);
  throw new PlumbError('SOURCE_REFUSED', `${what} ${shown} is not allowed: ${why}`, { what });
}

function hasControl(text: string): boolean {
  return /\p{Cc}/u.test(text);
}

function scpLike(text: string): Address | undefined {
  // user@host:path, as ssh users write it
  const match = /^(?:([^@:/\s]+)@)?([^@:/\s]+):(?!\/\/)(.+)$/.exec(text);
  if (!match) return undefined;
  const [, user = '', host = '', path = ''] = match;
  if (user.startsWith('-') || host.startsWith('-') || path.startsWith('-') || path.startsWith(':'))
    refuse('The Git address', text, 'it reads as an option or a remote helper');
  return { url: text, transport: 'ssh' };
}

/**
 * Reads a Git address: a local path, `file://`, `http(s)://`, `ssh://`, `git://` or `user@host:path`.
 * Throws SOURCE_REFUSED for every other transport (`ext::`), option-like parts, control characters and passwords.
 */
export function parseAddress(text: string): Address {
  if (text === '') refuse('The Git address', text, 'it is empty');
  if (hasControl(text)) refuse('The Git address', text, 'it holds control characters');
  if (isAbsolute(text)) return { url: resolve(text), transport: 'file' };
  if (/^[a-z][a-z0-9+.-]*::/i.test(text)) refuse('The Git address', text, 'remote helpers can run any command');
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) {
    if (text.startsWith('-')) refuse('The Git address', text, 'it reads as an option');
    return scpLike(text) ?? { url: resolve(text), transport: 'file' };
  }
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return refuse('The Git address', text, 'it is not a URL');
  }
  const transport = SCHEMES[url.protocol];
  if (!transport) return refuse('The Git address', text, 'use a path, file, http, https, ssh or git');
  if (url.password !== '')
    refuse(
      'The Git address',
      `${url.protocol}//…@${url.host}`,
      'it holds a password; use a credential helper or ~/.netrc',
    );
  if (transport === 'file') {
    if (url.host !== '') refuse('The Git address', text, 'a file address names no host: file:///path');
    return { url: resolve(decodeURIComponent(url.pathname)), transport };
  }
  if (url.hostname === '') refuse('The Git address', text, 'it names no host');
  if (/^(-|%)/.test(url.hostname) || /^(-|%2d)/i.test(url.username) || url.pathname.startsWith('/-'))
    refuse('The Git address', text, 'a part of it reads as an option');
  return { url: text, transport };
}

/** Whether git would take the text as a branch or tag name (git-check-ref-format), and it cannot be read as an option. */
export function isRefName(name: string): boolean {
  if (name === '' || name === '@' || name.length > 255 || name.startsWith('-') || hasControl(name)) return false;
  if (/[ ~^:?*[\\]|\.\.|@\{|\/\/|\/$|^\/|\.$/.test(name)) return false;
  return name.split('/').every((part) => !part.startsWith('.') && !part.endsWith('.lock'));
}

/** Throws SOURCE_REFUSED unless the names are plain branch, tag or commit names. */
export function checkWanted(wanted: WantedRef | undefined): void {
  if (!wanted) return;
  if ('commit' in wanted) {
    if (!/^[0-9a-f]{7,64}$/.test(wanted.commit)) refuse('The commit', wanted.commit, 'give 7 to 64 hexadecimal digits');
  } else if ('branch' in wanted) {
    if (!isRefName(wanted.branch)) refuse('The branch', wanted.branch, 'it is not a branch name');
  } else if (!isRefName(wanted.tag)) {
    refuse('The tag', wanted.tag, 'it is not a tag name');
  }
}

/** Splits `main~2` into name and steps; throws SOURCE_REFUSED for anything that is not a name with `~N` or `^N` behind it. */
export function parseRevision(text: string): { readonly name: string; readonly steps: string } {
  const match = /^(.*?)((?:[~^][0-9]{0,6}){0,16})$/.exec(text);
  const [, name = '', steps = ''] = match ?? [];
  if (!isRefName(name)) refuse('The revision', text, 'give a branch, a tag or a commit');
  return { name, steps };
}

/** The folder inside the repository, without slashes at its ends; '' is the root. Throws SOURCE_REFUSED when it leaves it. */
export function checkPath(path: string): string {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  if (hasControl(path) || path.startsWith('/') || parts.includes('..'))
    refuse('The path', path, 'give a folder inside the repository');
  return parts.join('/');
}

/** Names the mirror of an address. */
export function addressKey(address: Address): string {
  return createHash('sha256').update(address.url).digest('hex').slice(0, 24);
}

/** Names what is wanted, for files and messages: `branch main`, `HEAD`. */
export function wantedName(wanted: WantedRef | undefined): string {
  if (!wanted) return 'HEAD';
  if ('commit' in wanted) return `commit ${wanted.commit}`;
  return 'branch' in wanted ? `branch ${wanted.branch}` : `tag ${wanted.tag}`;
}
