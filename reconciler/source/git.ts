import { simpleGit } from 'simple-git';
import type { SimpleGit, SimpleGitOptions } from 'simple-git';
import { PlumbError } from '../model/errors.ts';
import type { Transport } from './address.ts';

/** Most bytes of output of one command: a tree made to explode is cut off there. */
const MAX_OUTPUT = 512 * 1024 * 1024;

/** Runs git with fixed arguments on one bare repository. */
export interface Git {
  /** Standard output as text. `deadline` in milliseconds. A program that says nothing at all ends 50 ms late (simple-git waits for words). Throws PlumbError. */
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

// simple-git asks for these by name since we set what it guards, always to the harmless side; no value comes from a repository
const UNSAFE: NonNullable<SimpleGitOptions['unsafe']> = {
  allowUnsafeAskPass: true,
  allowUnsafeConfigPaths: true,
  allowUnsafeFsMonitor: true,
  allowUnsafeHooksPath: true,
  allowUnsafeProtocolOverride: true,
  allowUnsafeSshCommand: true,
  allowUnsafeSubmodule: true,
  allowUnsafeTemplateDir: true,
};

function failure(error: unknown, what: string, cut: 'deadline' | 'signal' | 'size' | undefined): PlumbError {
  if (cut === 'deadline') return new PlumbError('TIMEOUT', `git ${what} gave no answer in time`);
  if (cut === 'signal') return new PlumbError('CANCELLED', `git ${what} was stopped`);
  if (cut === 'size')
    return new PlumbError('SOURCE_REFUSED', `git ${what} printed more than 512 MiB; the tree is too large`);
  const text = error instanceof Error ? error.message : String(error);
  if (text.includes('spawn git ENOENT'))
    return new PlumbError('MISSING_PROGRAM', 'git is not installed; install the package git');
  if (/No space left on device|Disk quota exceeded/.test(text))
    return new PlumbError('DISK_FULL', `git ${what}: no space left for the mirror`, {}, error);
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  const fatal = lines.filter((line) => /^(fatal|error|remote|ERROR):?/.test(line));
  // git knows only that ssh failed; ssh's own lines before that say why
  const remote = lines.findIndex((line) => line.includes('Could not read from remote repository'));
  const told = remote > 0 ? lines.slice(0, remote).map((line) => line.trim()) : fatal.length > 0 ? fatal : lines;
  const words = told
    .slice(0, 3)
    .join('; ')
    .replace(/^fatal: /, '');
  return new PlumbError('SOURCE_UNREACHABLE', `git ${what}: ${words}`, {}, error);
}

/** Git under guard: scrubbed environment, one transport, no hooks, filters, submodules or prompts, and a deadline on each call. */
export function guardedGit(options: GitOptions): Git {
  const env = environment(options);
  const config = [...CONFIG, `protocol.${options.transport}.allow=always`];
  if (options.transport === 'http') config.push('protocol.https.allow=always');

  async function run<T>(
    what: string,
    deadline: number,
    input: string | undefined,
    call: (git: SimpleGit) => Promise<T>,
  ) {
    const stop = new AbortController();
    let cut: 'deadline' | 'signal' | 'size' | undefined;
    const end = (why: typeof cut): void => {
      cut ??= why;
      stop.abort();
    };
    const onAbort = (): void => {
      end('signal');
    };
    if (options.signal?.aborted) throw failure(undefined, what, 'signal');
    // it keeps no process from ending: while git runs, git does
    const timer = setTimeout(end, deadline, 'deadline').unref();
    options.signal?.addEventListener('abort', onAbort, { once: true });
    let size = 0;
    const git = simpleGit({
      baseDir: options.cwd,
      config,
      unsafe: UNSAFE,
      allowEnvironment: Object.keys(env).filter((name) => name.startsWith('GIT_')),
      abort: stop.signal,
      completion: { onClose: true, onExit: false },
      ...(input === undefined ? {} : { input: () => input }),
    })
      .env(env)
      .outputHandler((_command, stdout) => {
        stdout.on('data', (chunk: Buffer) => {
          size += chunk.length;
          if (size > MAX_OUTPUT) end('size');
        });
      });
    const cutOff = new Promise<never>((_resolve, reject) => {
      stop.signal.addEventListener('abort', () => {
        reject(new Error('cut off'));
      });
    });
    try {
      return await Promise.race([call(git), cutOff]);
    } catch (error) {
      throw failure(error, what, cut);
    } finally {
      clearTimeout(timer);
      options.signal?.removeEventListener('abort', onAbort);
    }
  }

  return {
    text: (args, deadline, input) => run(args[0] ?? '', deadline, input, (git) => git.raw([...args])),
    objects: (args, input, deadline) =>
      run('cat-file', deadline, input, (git) => git.binaryCatFile([...args]) as Promise<Buffer>),
  };
}
