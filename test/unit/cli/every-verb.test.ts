import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { describe, it } from 'node:test';
import { completeCommand } from '../../../cli/verbs/completion.ts';
import { main } from '../../../cli/main.ts';
import { VERBS } from '../../../cli/verbs.ts';
import { speak } from '../../support/verb.ts';

/** The verbs of a family, each with options of its own, as its help lists them. */
async function familyOf(name: string): Promise<readonly string[]> {
  const { out } = await speak(main, tmpdir(), name, '--help');
  return [...out.matchAll(/^ {2}(\w+) \[options\]/gm)].flatMap(([, sub = '']) => sub);
}

const FAMILIES: ReadonlyMap<string, readonly string[]> = new Map([
  ['lab', await familyOf('lab')],
  ['host', await familyOf('host')],
]);

const COMMANDS: readonly (readonly string[])[] = VERBS.flatMap(
  ({ name }) => FAMILIES.get(name)?.map((sub) => [name, sub]) ?? [[name]],
);

describe('every verb', () => {
  for (const words of COMMANDS) {
    const name = words.join(' ');
    it(`${name} explains itself with an example, gives JSON, and completes`, async () => {
      const { code, out } = await speak(main, tmpdir(), ...words, '--help');
      assert.equal(code, 0);
      assert.match(out, new RegExp(`\nExamples?:\n(?:  .*\n)*  (?:.*[ (])?plumb ${name}\\b`));
      assert.match(out, /-o, --output <format>[^-]*"?json/);
      const complete = (...typed: readonly string[]): Promise<string> =>
        speak((argv, io) => completeCommand(VERBS, argv, io), tmpdir(), '--', ...typed).then((said) => said.out);
      assert.match(await complete(...words, '--'), /^--output\t/m);
      assert.match(await complete(...words, '--output', ''), /^json\b/m);
      assert.match(
        await complete(words.length > 1 ? (words[0] ?? '') : '', ''),
        new RegExp(`^${words.at(-1) ?? ''}\\t`, 'm'),
      );
    });
    it(`${name} refuses what it does not know, and says where to look`, async () => {
      const { code, out, err } = await speak(main, tmpdir(), ...words, '--nonesuch');
      assert.deepEqual([code, out], [words[0] === 'validate' ? 2 : 1, '']);
      assert.match(err, /^plumb: .*--nonesuch.*--help explains.* \[USAGE\]\n$/);
    });
  }

  it('is one of a family whose help lists it', () => {
    assert.deepEqual(FAMILIES.get('lab'), ['up', 'exec', 'kill', 'boot', 'daemon', 'cut', 'heal', 'status', 'down']);
    for (const sub of ['facts', 'enroll', 'revoke']) assert.ok(FAMILIES.get('host')?.includes(sub), sub);
  });

  it('stands in the README', () => {
    const readme = readFileSync(new URL('../../../../README.md', import.meta.url), 'utf8');
    for (const { name } of VERBS) assert.match(readme, new RegExp(`^\\| \`${name}\\b`, 'm'));
  });
});
