import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { ROOT } from '../../../bin/house/run.mjs';
import {
  compareCatalogue,
  endlessDirectories,
  leftovers,
  tooLong,
  unusedCodes,
  vagueNames,
} from '../../../bin/house/rules.mjs';

describe('house rules', () => {
  it('finds files that are too long', () => {
    assert.deepEqual(tooLong({ name: 'a.ts', text: 'x\n'.repeat(400) }), []);
    assert.equal(tooLong({ name: 'a.ts', text: 'x\n'.repeat(401) }).length, 1);
  });

  it('finds vague names', () => {
    assert.deepEqual(vagueNames({ name: 'plan/waves.ts', text: 'export function withoutServices() {}\n' }), []);
    assert.equal(vagueNames({ name: 'plan/utils.ts', text: '' }).length, 1);
    assert.equal(vagueNames({ name: 'plan/waves.ts', text: 'class X {}\nexport class PortManager {}\n' }).length, 1);
  });

  it('finds what was left over', () => {
    const line = `// ${'TO' + 'DO'}: later`;
    assert.deepEqual(leftovers({ name: 'a.ts', text: `x\n${line}\n` }), [`a.ts:2: left over: ${line}`]);
    assert.equal(leftovers({ name: 'a.ts', text: `  it.${'only'}('x')\n` }).length, 1);
    assert.deepEqual(leftovers({ name: 'a.ts', text: 'const todo = 1;\n' }), []);
  });

  it('finds directories that are made in a way that may never end', () => {
    const text = 'await mkdir(join(state, name), { recursive: true, mode: 0o700 });\n';
    assert.equal(endlessDirectories({ name: 'server/a.ts', text }).length, 1);
    assert.equal(endlessDirectories({ name: 'cli/a.ts', text: text.replace('mkdir', 'fs.mkdirSync') }).length, 1);
    assert.deepEqual(endlessDirectories({ name: 'test/a.ts', text }), []);
    assert.deepEqual(
      endlessDirectories({ name: 'cli/a.ts', text: 'await makeDirectory(path);\nrm(p, { recursive: true });' }),
      [],
    );
  });

  it('compares the catalogue of errors both ways', () => {
    const errors = { CONFLICT: { retry: true }, USAGE: { retry: false } };
    const good = '| `CONFLICT` | yes | a | b |\n| `USAGE` | no | a | b |\n| `NO_FLEET` | a | b |\n';
    assert.deepEqual(compareCatalogue(good, errors, { NO_FLEET: {} }), []);
    const bad = '| `CONFLICT` | no | a | b |\n| `GONE` | no | a | b |\n';
    assert.deepEqual(compareCatalogue(bad, errors, {}), [
      'docs/errors.md: no row for USAGE',
      'docs/errors.md: GONE is no code of the product',
      'docs/errors.md: CONFLICT: "retry" says no, the code says yes',
    ]);
  });
});

describe('arrows', () => {
  let root = '';
  before(() => {
    root = mkdtempSync(join(tmpdir(), 'arrows-'));
    for (const file of ['.dependency-cruiser.cjs', 'tsconfig.json', 'package.json'])
      cpSync(join(ROOT, file), join(root, file));
    symlinkSync(join(ROOT, 'node_modules'), join(root, 'node_modules'));
    /** @type {(name: string, ...imports: string[]) => void} */
    const file = (name, ...imports) => {
      mkdirSync(dirname(join(root, name)), { recursive: true });
      const lines = imports.map((from, index) => `import { x as x${index} } from '${from}';`);
      writeFileSync(
        join(root, name),
        `${lines.join('\n')}\nexport const x = [${imports.map((_, i) => `x${i}`).join(', ')}];\n`,
      );
    };
    file('schemas/types.ts');
    file('reconciler/model/ok.ts', '../../schemas/types.ts', 'node:crypto');
    file('reconciler/model/disk.ts', 'node:fs');
    file('reconciler/plan/ok.ts', '../model/ok.ts');
    file('reconciler/plan/sibling.ts', '../place/ok.ts');
    file('reconciler/plan/up.ts', '../loop/ok.ts');
    file('reconciler/place/ok.ts', '../model/ok.ts');
    file('reconciler/place/logger.ts', 'pino');
    file('reconciler/source/ok.ts', '../model/ok.ts', 'node:fs');
    file('reconciler/loop/ok.ts', '../plan/ok.ts', '../model/ok.ts');
    file('reconciler/loop/concrete.ts', '../../providers/ovs/index.ts');
    file('reconciler/loop/agent/ok.ts', '../ok.ts');
    file('reconciler/loop/controller/shortcut.ts', '../agent/ok.ts');
    file('providers/ovs/index.ts', '../../reconciler/model/ok.ts', './diff.ts', 'node:net');
    file('providers/ovs/diff.ts', '../../reconciler/model/ok.ts');
    file('providers/host/diff.ts', 'node:child_process');
    file('providers/host/index.ts', '../ovs/index.ts');
    file('providers/host/step.ts', '../../reconciler/plan/ok.ts');
    file('providers/host/a.ts', './b.ts');
    file('providers/host/b.ts', './a.ts');
    file('lab/product.ts', '../reconciler/plan/ok.ts');
    file('cli/main.ts', '../reconciler/loop/ok.ts', '../providers/ovs/index.ts', '../lab/product.ts');
    file('providers/ovs/tests.ts', '../../test/x.ts');
    file('test/x.ts', '../cli/main.ts');
  });
  after(() => rmSync(root, { recursive: true }));

  it('catch each planted violation and nothing else', () => {
    const cruiser = join(root, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs');
    const folders = ['schemas', 'reconciler', 'providers', 'cli', 'lab', 'test'];
    const args = [cruiser, '--config', '.dependency-cruiser.cjs', '--output-type', 'json', ...folders];
    const { stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8', maxBuffer: 64 << 20 });
    assert.equal(stderr, '');
    const { violations } = JSON.parse(stdout).summary;
    const found = violations
      .map(
        (/** @type {any} */ one) =>
          `${one.rule.name}: ${one.from} → ${one.to.replace(/^.*node_modules.([a-z]+).*/, '$1')}`,
      )
      .sort();
    assert.deepEqual(found, [
      'controller-and-agent-meet-in-the-store: reconciler/loop/controller/shortcut.ts → reconciler/loop/agent/ok.ts',
      'core-is-pure: providers/host/diff.ts → child_process',
      'core-is-pure: reconciler/model/disk.ts → fs',
      'core-is-pure: reconciler/place/logger.ts → pino',
      'lab-is-no-part-of-the-product: lab/product.ts → reconciler/plan/ok.ts',
      'loop-knows-no-providers: reconciler/loop/concrete.ts → providers/ovs/index.ts',
      'model-stands-alone: reconciler/model/disk.ts → fs',
      'no-cycles: providers/host/a.ts → providers/host/b.ts',
      'no-step-to-sibling-step: reconciler/plan/sibling.ts → reconciler/place/ok.ts',
      'not-to-tests: providers/ovs/tests.ts → test/x.ts',
      'providers-know-the-model-only: providers/host/index.ts → providers/ovs/index.ts',
      'providers-know-the-model-only: providers/host/step.ts → reconciler/plan/ok.ts',
      'steps-look-down: reconciler/plan/up.ts → reconciler/loop/ok.ts',
    ]);
  });
  it('finds codes that no source gives', () => {
    const texts = ["throw new PlumbError('USED', 'x')", '// QUOTED only in words'];
    assert.deepEqual(unusedCodes(['USED', 'QUOTED'], texts), ['reconciler/model/errors.ts: nothing gives QUOTED']);
  });
});
