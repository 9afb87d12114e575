import tab from '@bomb.sh/tab';
import { expand } from '../reconciler/plan/expand.ts';
import type { Io } from './io.ts';
import { remoteView } from './local.ts';
import { command, parse } from './options.ts';
import { pathsOf } from './paths.ts';
import type { Verb } from './verb.ts';

const SHELLS = ['bash', 'zsh', 'fish', 'powershell'];

/** `plumb completion SHELL`: prints the script that the shell sources. */
export async function completionCommand(argv: readonly string[], io: Io): Promise<number> {
  const cmd = command(
    'completion',
    'Print the completion script of a shell.',
    'source <(plumb completion bash)',
    io,
  ).argument('<shell>', SHELLS.join(', '));
  const shell = parse(cmd, argv)?.args[0];
  if (shell === undefined) return 0;
  if (!SHELLS.includes(shell)) {
    io.err(`plumb: no completion for ${shell}; there is one for ${SHELLS.join(', ')}\n`);
    return 1;
  }
  await captured(io, () => {
    tab.setup('plumb', 'plumb', shell);
  });
  return 0;
}

/** `plumb complete -- WORDS…`: what the completion scripts ask. */
export async function completeCommand(verbs: readonly Verb[], argv: readonly string[], io: Io): Promise<number> {
  const words = argv[0] === '--' ? argv.slice(1) : [...argv];
  for (const verb of verbs) {
    const known = tab.command(verb.name, verb.summary);
    if (words[0] !== verb.name) continue;
    const help = await helpOf(verb.load, io);
    for (const [, long, description] of help.matchAll(/^\s+(?:-\w, )?--([a-z-]+)(?: <[^>]+>)?\s+(.*)$/gm)) {
      const choices = /choices: ([^)]*?)(?:, default|\))/.exec(description ?? '')?.[1]?.match(/[a-z0-9]+/g) ?? [];
      known.option(long ?? '', description ?? '', (complete) => {
        for (const choice of choices) complete(choice, '');
      });
    }
    if (verb.name === 'why' || verb.name === 'events') {
      const refs = await liveRefs(io);
      known.argument('ref', (complete) => {
        for (const ref of refs) complete(ref, '');
      });
    }
  }
  await captured(io, () => {
    tab.parse([...words]);
  });
  return 0;
}

async function helpOf(load: Verb['load'], io: Io): Promise<string> {
  let help = '';
  const run = await load();
  await run(['--help'], { ...io, out: (text) => void (help += text), err: () => undefined });
  // long descriptions are folded
  return help.replace(/\n {8,}/g, ' ');
}

/** Refs of the running `up`; none when there is none. */
async function liveRefs(io: Io): Promise<readonly string[]> {
  try {
    const { assignments } = await remoteView(pathsOf({}, io).socket).known();
    return assignments.flatMap((assignment) => expand(assignment).map(({ ref }) => ref));
  } catch {
    return [];
  }
}

/** The library prints to the console; its words go to the Io. */
function captured(io: Io, work: () => void): Promise<void> {
  const { log } = console;
  console.log = (text: string): void => {
    io.out(`${text}\n`);
  };
  try {
    work();
  } finally {
    console.log = log;
  }
  return Promise.resolve();
}
