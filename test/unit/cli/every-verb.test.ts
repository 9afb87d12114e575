import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { describe, it } from 'node:test';
import { completeCommand } from '../../../cli/completion.ts';
import { main } from '../../../cli/main.ts';
import { VERBS } from '../../../cli/verbs.ts';
import { speak } from '../../support/verb.ts';

/** Verbs that are families of verbs, each with options of its own. */
const FAMILIES: Readonly<Record<string, readonly string[]>> = {
  lab: ['up', 'exec', 'kill', 'boot', 'daemon', 'cut', 'heal', 'status', 'down'],
  host: ['facts', 'enroll', 'revoke'],
};

const COMMANDS: readonly (readonly string[])[] = VERBS.flatMap(
  ({ name }) => FAMILIES[name]?.map((sub) => [name, sub]) ?? [[name]],
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

  it('is one of a family whose help lists it', async () => {
    for (const [family, subs] of Object.entries(FAMILIES)) {
      const { out } = await speak(main, tmpdir(), family, '--help');
      const listed = [...out.matchAll(/^ {2}(\w+) \[options\]/gm)].map(([, name]) => name);
      assert.deepEqual(listed, subs);
    }
  });

  it('stands in the README', () => {
    const readme = readFileSync(new URL('../../../../README.md', import.meta.url), 'utf8');
    for (const { name } of VERBS) assert.match(readme, new RegExp(`^\\| \`${name}\\b`, 'm'));
  });
});
