import { Command, CommanderError, Option } from 'commander';
import { PlumbError } from '../reconciler/model/errors.ts';
import { isRef, type Ref } from '../reconciler/model/ref.ts';
import { EXITS } from './exits.ts';
import type { Io } from './io.ts';

/** A commander command that writes to the Io, throws instead of exiting, and shows exit statuses and an example in its help. */
export function command(name: string, description: string, example: string, io: Io): Command {
  const exits = EXITS[name];
  const examples = example.split('\n');
  return new Command(`plumb ${name}`)
    .description(exits === undefined ? description : `${description}\nExit status: ${exits}`)
    .helpOption('-h, --help', 'show this help')
    .configureOutput({ writeOut: io.out, writeErr: () => undefined })
    .addHelpText('after', `\n${examples.length > 1 ? 'Examples' : 'Example'}:\n  ${examples.join('\n  ')}\n`)
    .exitOverride();
}

/** Adds options under a heading of the help; those that are added afterwards stand with the first ones again. */
export function under(heading: string, cmd: Command, add: () => void): void {
  cmd.optionsGroup(heading);
  add();
  cmd.optionsGroup('');
}

/** `-o FORMAT`. */
export function outputOption(...formats: readonly string[]): Option {
  return new Option('-o, --output <format>', 'format of the result').choices([...formats]).default(formats[0]);
}

/** Parses; undefined when only help was asked for. Throws USAGE with the mend. */
export function parse(cmd: Command, argv: readonly string[]): Command | undefined {
  try {
    return cmd.parse(argv, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return undefined;
    const text = error.message.replace(/^error: /, '').replace(/\n\(Did you mean (.*)\?\)$/, '; did you mean $1?');
    throw new PlumbError('USAGE', `${text} (${cmd.name()} --help explains)`, {}, error);
  }
}

/** The ref that an argument is, which may also be `like` those. Throws USAGE. */
export function refFrom(text: string, like = 'container/web-0'): Ref {
  if (isRef(text)) return text;
  throw new PlumbError('USAGE', `${text} is no ref; write kind/name, as ${like}`);
}

/** The whole number, at least `least`, that an option was given. Throws USAGE naming the option. */
export function wholeNumber(option: string, text: string, least: number): number {
  const number = /^\d+$/.test(text) ? Number(text) : NaN;
  if (Number.isSafeInteger(number) && number >= least) return number;
  throw new PlumbError('USAGE', `${option} takes a whole number, ${String(least)} or more, not ${text}`);
}
