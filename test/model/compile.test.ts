import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { compile } from '../../reconciler/compile/compile.ts';
import type { Catalog } from '../../reconciler/model/catalog.ts';
import { manifest, SOUND, sourceFiles } from '../support/manifests.ts';

/** With an App that asks for its Zone and Network in place of naming them. */
const REPOSITORY: Readonly<Record<string, string>> = {
  ...SOUND,
  'zones/batch.yaml': manifest(
    'Zone',
    'batch',
    'hosts: { matchLabels: { pool: b } }\ntraits: { disk: ssd }\nlevels: [3]',
  ),
  'networks/cards.yaml': manifest('Network', 'cards', 'vlan: 7\ncidr: 10.7.0.0/24\nisolation: pci'),
  'apps/asking.yaml': manifest(
    'App',
    'asking',
    'image: a:1\nlevel: 3\nzone:\n  traits:\n    disk: ssd\nnetwork:\n  isolation: pci',
  ),
};

/** What must hold of every catalog, whatever the files are. */
function lawful(catalog: Catalog, files: Readonly<Record<string, string | Uint8Array>>): void {
  for (const { file, line, column, message, code } of catalog.problems) {
    assert.notEqual(message, '', code);
    const content = files[file];
    if (content === undefined) {
      assert.deepEqual([file, line, column], ['fleet.yaml', 1, 1]);
      continue;
    }
    const text = typeof content === 'string' ? content : new TextDecoder().decode(content);
    const found = text.replace(/^\ufeff/, '').split('\n')[line - 1];
    assert.notEqual(found, undefined, `${code} in line ${String(line)} of ${JSON.stringify(text)}`);
    assert.ok(column >= 1 && column <= (found ?? '').length + 1, `${code} in column ${String(column)}`);
  }
  for (const { spec } of catalog.apps.values()) {
    assert.ok(catalog.zones.has(spec.zone));
    assert.ok(catalog.networks.has(spec.network));
  }
  if (catalog.problems.length > 0)
    assert.ok(catalog.heldOwners.size > 0 || catalog.heldObjects.size > 0, 'a problem holds something');
}

const sound = compile(sourceFiles(REPOSITORY), 'r0');

function check(files: Readonly<Record<string, string | Uint8Array>>): void {
  lawful(compile(sourceFiles(files), 'r1'), files);
  const next = compile(sourceFiles(files), 'r1', undefined, sound);
  lawful(next, files);
  // whoever is not named by the revision in any way is pruned only when nothing is held
  for (const name of sound.apps.keys())
    if (next.heldObjects.has(`App/${name}`) && next.apps.has(name))
      assert.equal(next.apps.get(name), sound.apps.get(name));
}

const path = fc.constantFrom(...Object.keys(REPOSITORY), 'apps/new.yaml');
const token = fc.constantFrom(
  ...[
    '- ',
    ': ',
    '\n',
    '\n  ',
    '\t',
    '[',
    ']',
    '{',
    '}',
    '"',
    "'",
    '&a ',
    '*a',
    '|',
    '>',
    '#',
    '---\n',
    '...\n',
    '%',
    '!',
    '? ',
  ],
  ...[
    'null',
    '~',
    '0',
    '-1',
    '1e999',
    '0x1f',
    'true',
    '{}',
    '__proto__',
    '<<',
    'spec',
    'kind',
    '\u0000',
    '\ufeff',
    '\u202e',
    '\r',
  ],
);

/** A sound text with pieces cut out, put in or doubled. */
const mutated = fc
  .tuple(
    fc.constantFrom(...Object.values(REPOSITORY)),
    fc.array(fc.tuple(fc.nat(400), fc.nat(12), fc.oneof(token, fc.string({ maxLength: 5 }))), {
      minLength: 1,
      maxLength: 6,
    }),
  )
  .map(([text, edits]) =>
    edits.reduce(
      (now, [at, cut, put]) => now.slice(0, at % (now.length + 1)) + put + now.slice((at % (now.length + 1)) + cut),
      text,
    ),
  );

describe('compile, whatever it is given', () => {
  it('random bytes', () => {
    fc.assert(
      fc.property(path, fc.uint8Array({ maxLength: 300 }), (file, bytes) => {
        check({ ...REPOSITORY, [file]: bytes });
      }),
      { numRuns: 300 },
    );
  });
  it('soups of YAML', () => {
    fc.assert(
      fc.property(path, fc.array(fc.oneof(token, fc.string({ maxLength: 4 })), { maxLength: 60 }), (file, parts) => {
        check({ ...REPOSITORY, [file]: parts.join('') });
      }),
      { numRuns: 500 },
    );
  });
  it('sound manifests with small mistakes', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(path, mutated), { minLength: 1, maxLength: 3 }), (changes) => {
        check({ ...REPOSITORY, ...Object.fromEntries(changes) });
      }),
      { numRuns: 700 },
    );
  });
  it('values of any type in any field', () => {
    const value = fc.json({ maxDepth: 2 });
    fc.assert(
      fc.property(path, fc.nat(200), value, (file, at, json) => {
        const lines = (REPOSITORY[file] ?? '').split('\n');
        const line = at % lines.length;
        lines[line] = (lines[line] ?? '').replace(/(:).*$/, `$1 ${json.replaceAll('$', '$$$$')}`);
        check({ ...REPOSITORY, [file]: lines.join('\n') });
      }),
      { numRuns: 500 },
    );
  });
});

describe('compile, given bombs of a megabyte', () => {
  const M = 2 ** 20;
  const many = (text: string): string => text.repeat(Math.floor(M / text.length));
  const bombs: Readonly<Record<string, string>> = {
    brackets: many('['),
    'empty lists': many('[]'),
    braces: many('{a: '),
    dashes: many('- '),
    questions: many('? '),
    quotes: many('"'),
    anchors: many('&a '),
    tags: many('! '),
    directives: many('%\n'),
    documents: many('---\n'),
    commas: `[${many(',')}]`,
    keys: Array.from({ length: 80_000 }, (_, at) => `k${String(at)}: 1\n`).join(''),
    'equal keys': many('a: 1\n'),
    aliases: `a: &a b\n${many('c: *a\n')}`.slice(0, M),
    escapes: `"${many('\\u00')}"`,
    'folded lines': `a: >\n${many(' x\n\n')}`,
    'carriage returns': many('a: b\r'),
    comments: many('# a\n'),
    zeros: many('\u0000'),
    laughs: `a0: &a0 [${'x, '.repeat(5000)}]\n${Array.from({ length: 60 }, (_, at) => `a${String(at + 1)}: &a${String(at + 1)} [*a${String(at)}, *a${String(at)}]\n`).join('')}`,
  };
  for (const [name, text] of Object.entries(bombs))
    it(name, { timeout: 60_000 }, () => {
      const files = { ...REPOSITORY, 'x.yaml': text };
      const catalog = compile(sourceFiles(files), 'r1');
      lawful(catalog, files);
      assert.notEqual(catalog.problems.length, 0);
    });
});
