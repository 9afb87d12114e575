import { spawn } from 'node:child_process';
import { PlumbError } from '../model/errors.ts';
import type { Transport } from './address.ts';

/** Most bytes of output of one command: a tree made to explode is cut off there. */
const MAX_OUTPUT = 512 * 1024 * 1024;
/** So many characters of what it says of its troubles are kept, the last ones. */
const MAX_WORDS = 64 * 1024;

/** Runs git with fixed arguments on one bare repository. */
export interface Git {
  /** Standard output as text. `deadline` in milliseconds. Throws PlumbError. */
  text(args: readonly string[], deadline: number, input?: string): Promise<string>;
  /** `git cat-file ARGS` with that input. */
  objects(args: readonly string[], input: string, deadline: number): Promise<Buffer>;
}

export interface GitOptions {
  /** The bare repository. It is named to git, never searched for. */
  readonly directory: string;
  /** An existing directory to run in. */
  readonly cwd: string;
  /** The one transport that is allowed. */
  readonly transport: Transport;
  /** File that stands in for the user's configuration and includes it. */
  readonly config: string;
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal | undefined;
}

const PASSED_ON = [
  ...['PATH', 'HOME', 'USER', 'LOGNAME', 'TMPDIR', 'XDG_CONFIG_HOME', 'XDG_RUNTIME_DIR', 'SSH_AUTH_SOCK'],
  ...['http_proxy', 'https_proxy', 'no_proxy', 'all_proxy', 'HTTPS_PROXY', 'NO_PROXY', 'ALL_PROXY'],
  ...['SSL_CERT_FILE', 'SSL_CERT_DIR', 'GIT_SSL_CAINFO', 'GIT_SSH_COMMAND'],
];

function environment(options: GitOptions): Record<string, string> {
  const env: Record<string, string> = {};
  for (const name of PASSED_ON) {
    const value = options.env[name];
    if (value !== undefined) env[name] = value;
  }
  return {
    ...env,
    LC_ALL: 'C',
    GIT_DIR: options.directory,
    GIT_CONFIG_GLOBAL: options.config,
    GIT_ALLOW_PROTOCOL: options.transport === 'http' ? 'http:https' : options.transport,
    GIT_TERMINAL_PROMPT: '0',
    GIT_ATTR_NOSYSTEM: '1',
    GIT_NO_LAZY_FETCH: '1',
    GIT_NO_REPLACE_OBJECTS: '1',
    GIT_OPTIONAL_LOCKS: '0',
  };
}

// what the operator's own configuration may not switch on for a repository that is not trusted
const CONFIG = [
  'core.hooksPath=/dev/null',
  'core.fsmonitor=false',
  'core.askPass=',
  'core.attributesFile=/dev/null',
  'core.alternateRefsCommand=',
  'core.quotePath=true',
  'safe.bareRepository=all',
  'protocol.allow=never',
  'submodule.recurse=false',
  'fetch.recurseSubmodules=no',
  'fetch.prune=false',
  'gc.autoDetach=false',
  'maintenance.autoDetach=false',
  'http.lowSpeedLimit=500',
  'http.lowSpeedTime=30',
  'log.showSignature=false',
  'blame.ignoreRevsFile=',
];

function failure(text: string, what: string, cut: Cut | undefined): PlumbError {
  if (cut === 'deadline') return new PlumbError('TIMEOUT', `git ${what} gave no answer in time`);
  if (cut === 'signal') return new PlumbError('CANCELLED', `git ${what} was stopped`);
  if (cut === 'size')
    return new PlumbError('SOURCE_REFUSED', `git ${what} printed more than 512 MiB; the tree is too large`);
  if (text.includes('spawn git ENOENT'))
    return new PlumbError('MISSING_PROGRAM', 'git is not installed; install the package git');
  if (/No space left on device|Disk quota exceeded/.test(text))
    return new PlumbError('DISK_FULL', `git ${what}: no space left for the mirror`);
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  const fatal = lines.filter((line) => /^(fatal|error|remote|ERROR):?/.test(line));
  // git knows only that ssh failed; ssh's own lines before that say why
  const remote = lines.findIndex((line) => line.includes('Could not read from remote repository'));
  const told = remote > 0 ? lines.slice(0, remote).map((line) => line.trim()) : fatal.length > 0 ? fatal : lines;
  const words = told
    .slice(0, 3)
    .join('; ')
    .replace(/^fatal: /, '');
  return new PlumbError('SOURCE_UNREACHABLE', `git ${what}: ${words}`);
}

/** Why a run was cut off. */
type Cut = 'deadline' | 'signal' | 'size';

/** What git printed, and how it ended: a status other than 0, or in words why it did not run. */
interface Ended {
  readonly output: Buffer;
  readonly wrong: string | undefined;
  readonly cut: Cut | undefined;
}

/** Git under guard: scrubbed environment, one transport, no hooks, filters, submodules or prompts, and a deadline on each call. */
export function guardedGit(options: GitOptions): Git {
  const env = environment(options);
  const config = [...CONFIG, `protocol.${options.transport}.allow=always`];
  if (options.transport === 'http') config.push('protocol.https.allow=always');
  const guards = config.flatMap((one) => ['-c', one]);

  function start(args: readonly string[], deadline: number, input: string | undefined): Promise<Ended> {
    return new Promise((resolve) => {
      const child = spawn('git', [...guards, ...args], { cwd: options.cwd, env });
      const output: Buffer[] = [];
      let words = '';
      let size = 0;
      const end = (status: number | null, cut?: Cut): void => {
        clearTimeout(timer);
        options.signal?.removeEventListener('abort', onAbort);
        const wrong = status === 0 ? undefined : words.trim() || `it ended with ${String(status)}`;
        resolve({ output: Buffer.concat(output), wrong, cut });
      };
      // nobody waits until it has tidied up
      const cutOff = (why: Cut): void => {
        child.kill();
        end(null, why);
      };
      const onAbort = (): void => {
        cutOff('signal');
      };
      const timer = setTimeout(cutOff, deadline, 'deadline');
      options.signal?.addEventListener('abort', onAbort, { once: true });
      child.stdout.on('data', (chunk: Buffer) => {
        output.push(chunk);
        size += chunk.length;
        if (size > MAX_OUTPUT) cutOff('size');
      });
      child.stderr.setEncoding('utf8').on('data', (text: string) => (words = (words + text).slice(-MAX_WORDS)));
      child.stdin.on('error', () => undefined); // it may end before it has read everything
      child.stdin.end(input);
      child.once('error', ({ message }) => (words += message));
      child.once('close', (status) => {
        end(status);
      });
    });
  }

  async function run(args: readonly string[], deadline: number, input: string | undefined): Promise<Buffer> {
    const what = args[0] ?? '';
    if (options.signal?.aborted) throw failure('', what, 'signal');
    const { output, wrong, cut } = await start(args, deadline, input);
    if (wrong !== undefined) throw failure(wrong, what, cut);
    return output;
  }

  return {
    text: async (args, deadline, input) => (await run(args, deadline, input)).toString('utf8'),
    objects: (args, input, deadline) => run(['cat-file', ...args], deadline, input),
  };
}
