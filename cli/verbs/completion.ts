import tab, { type Command as Completed } from '@bomb.sh/tab';
import { PlumbError } from '../../reconciler/model/errors.ts';
import { candidatesOf } from '../candidates.ts';
import type { Io } from '../io.ts';
import { command, outputOption, parse } from '../options.ts';
import type { Verb } from '../verb.ts';

const SHELLS = ['bash', 'zsh', 'fish', 'powershell'];
/** Verbs whose first word names something of the state. */
const NAMING = ['why', 'events', 'history', 'explain', 'capacity', 'drain', 'status'];

/** `plumb completion SHELL`: prints the script that the shell sources. */
export async function completionCommand(argv: readonly string[], io: Io): Promise<number> {
  const cmd = command('completion', 'Print the completion script of a shell.', 'source <(plumb completion bash)', io)
    .argument('<shell>', SHELLS.join(', '))
    .addOption(outputOption('text', 'json'));
  const parsed = parse(cmd, argv);
  if (!parsed) return Promise.resolve(0);
  const [shell = ''] = parsed.args;
  if (!SHELLS.includes(shell))
    throw new PlumbError('USAGE', `no completion for ${shell}; there is one for ${SHELLS.join(', ')}`);
  const made = printed(() => {
    tab.setup('plumb', 'plumb', shell);
  })
    // it may be sourced again, and beside another program's of the same make
    .replace(/^readonly (?=ShellCompDirective)/gm, '');
  const script = shell === 'bash' ? `${BASH_WORDS}${inBash(made)}` : made;
  const json = parsed.opts<{ readonly output: 'text' | 'json' }>().output === 'json';
  io.out(json ? `${JSON.stringify({ version: 1, shell, script })}\n` : script);
  return Promise.resolve(0);
}

/** The words of the line; those of the package bash-completion where it is there. */
const BASH_WORDS = `__plumb_words() {
    if declare -F _get_comp_words_by_ref >/dev/null; then
        _get_comp_words_by_ref -n "=:" cur prev words cword
    else
        words=("\${COMP_WORDS[@]}") cword=$COMP_CWORD cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]}
    fi
}

`;

/** A bash script that takes words as they are typed: what stands in them is not run, and no package needs to be installed. */
function inBash(script: string): string {
  return script
    .replace('_get_comp_words_by_ref -n "=:" cur prev words cword', '__plumb_words')
    .replace('$(eval "$requestComp" 2>/dev/null)', '$(plumb complete -- "${words[@]:1}" 2>/dev/null)');
}

/** `plumb complete -- WORDS…`: what the completion scripts ask. */
export async function completeCommand(verbs: readonly Verb[], argv: readonly string[], io: Io): Promise<number> {
  const words = argv[0] === '--' ? argv.slice(1) : [...argv];
  for (const verb of verbs) {
    const known = tab.command(verb.name, verb.summary);
    if (words[0] !== verb.name) continue;
    const help = await helpOf(verb, [], io);
    addOptions(known, help);
    for (const [name, summary] of subcommandsOf(help)) {
      const sub = tab.command(`${verb.name} ${name}`, summary);
      if (words[1] === name) addOptions(sub, await helpOf(verb, [name], io));
    }
    if (verb.name === 'completion') addChoices(known, 'shell', SHELLS);
    if (NAMING.includes(verb.name)) addChoices(known, 'ref', await candidatesOf(verb.name, words, io));
  }
  const answer = printed(() => {
    tab.parse([...words]);
  });
  io.out(answer);
  return 0;
}

function addChoices(known: Completed, name: string, choices: readonly string[]): void {
  known.argument(name, (complete) => {
    for (const choice of choices) complete(choice, '');
  });
}

/** The options that a help lists, with the choices of those that have some. */
function addOptions(known: Completed, help: string): void {
  for (const [, short, long = '', value, description = ''] of help.matchAll(
    /^\s+(?:-(\w), )?--([a-z-]+)( <[^>]+>| \[[^\]]+\])?\s+(.*)$/gm,
  )) {
    const choices = /choices: ([^)]*?)(?:, default|\))/.exec(description)?.[1]?.match(/[a-z0-9]+/g) ?? [];
    if (value?.startsWith(' <') !== true) known.option(long, description, short);
    else
      known.option(
        long,
        description,
        (complete) => {
          for (const choice of choices) complete(choice, '');
        },
        short,
      );
  }
}

/** Name and summary of the commands that a help lists. */
function subcommandsOf(help: string): readonly (readonly [string, string])[] {
  const list = /^Commands:\n((?: .*\n)+)/m.exec(help)?.[1] ?? '';
  return [...list.matchAll(/^ {2}(\w+).*? {2,}(.*)$/gm)]
    .map(([, name = '', summary = '']) => [name, summary] as const)
    .filter(([name]) => name !== 'help');
}

async function helpOf({ load }: Verb, words: readonly string[], io: Io): Promise<string> {
  let help = '';
  const run = await load();
  await run([...words, '--help'], { ...io, out: (text) => void (help += text), err: () => undefined });
  // long descriptions are folded
  return help.replace(/\n {8,}/g, ' ');
}

/** What the library prints to the console while it works. */
function printed(work: () => void): string {
  const { log } = console;
  let text = '';
  console.log = (line: string): void => {
    text += `${line}\n`;
  };
  try {
    work();
  } finally {
    console.log = log;
  }
  return text;
}
