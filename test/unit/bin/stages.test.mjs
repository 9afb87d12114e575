import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { STAGES, checkFolders, choose, queuesOf, testFiles } from '../../../bin/house/stages.mjs';
import { parseReport, runTestFile } from '../../../bin/house/testfile.mjs';
import { tally } from '../../../bin/test.mjs';

/** A zombie that nobody has waited for yet runs no more. @param {number} pid */
function runs(pid) {
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
  } catch {
    return false;
  }
}

const names = (/** @type {{ stages: readonly { name: string }[] }} */ chosen) =>
  chosen.stages.map((stage) => stage.name);

describe('stages', () => {
  let root = '';
  beforeEach(() => void (root = mkdtempSync(join(tmpdir(), 'stages-'))));
  afterEach(() => rmSync(root, { recursive: true }));
  const file = (/** @type {string} */ name, text = '') => {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text);
    return join(root, name);
  };

  it('runs everything without words, and what the words choose', () => {
    assert.deepEqual([choose([]).check, names(choose([])).length], [true, STAGES.length]);
    assert.deepEqual([choose(['check']).check, names(choose(['check']))], [true, []]);
    assert.deepEqual(
      [choose(['unit', 'place']).check, names(choose(['unit', 'place'])), choose(['unit', 'place']).parts],
      [false, ['unit'], ['place']],
    );
    assert.deepEqual([names(choose(['ovs'])).length, choose(['ovs']).parts], [STAGES.length, ['ovs']]);
  });

  it('finds the files of a stage', () => {
    file('test/unit/place/a.test.ts');
    file('test/unit/plan/b.test.mjs');
    file('test/unit/plan/support.ts');
    const [unit] = STAGES;
    assert.ok(unit);
    assert.deepEqual(testFiles(unit, [], root), ['test/unit/place/a.test.ts', 'test/unit/plan/b.test.mjs']);
    assert.deepEqual(testFiles(unit, ['pla', 'b.'], root), ['test/unit/plan/b.test.mjs']);
    file('test/unit/z.test.ts');
    const ordered = testFiles({ ...unit, first: ['z', 'gone'] }, [], root);
    assert.deepEqual(ordered, ['test/unit/z.test.ts', 'test/unit/place/a.test.ts', 'test/unit/plan/b.test.mjs']);
    for (const stage of STAGES)
      for (const name of [...(stage.first ?? []), ...(stage.beside ?? [])])
        assert.equal(testFiles(stage, [`/${name}.test.ts`]).length, 1, name);
    checkFolders(root);
    file('test/lost/c.test.ts');
    assert.throws(() => checkFolders(root), /test\/lost\/c\.test\.ts belongs to no stage/);
  });

  it('lets what only waits run beside the others', () => {
    const [unit] = STAGES;
    assert.ok(unit);
    const files = ['test/unit/a.test.ts', 'test/unit/idle.test.ts', 'test/unit/b.test.ts'];
    const [busy, same, idle, ...more] = queuesOf({ ...unit, atOnce: 2, beside: ['idle'] }, files);
    assert.deepEqual(
      [busy, idle, more],
      [['test/unit/a.test.ts', 'test/unit/b.test.ts'], ['test/unit/idle.test.ts'], []],
    );
    assert.equal(busy, same, 'two workers take from one queue');
    assert.deepEqual(queuesOf({ ...unit, atOnce: 1 }, files), [files]);
  });

  const run = (/** @type {string} */ script, minutes = 1) =>
    runTestFile(script, { minutes, inside: false, signal: new AbortController().signal, folder: root });
  const script = (/** @type {string} */ body) => {
    // runTestFile takes paths from the repository's root
    const name = `.plumbline/stages-${process.pid}-${Math.random().toString(36).slice(2)}.test.mjs`;
    const path = new URL(`../../../${name}`, import.meta.url);
    mkdirSync(new URL('.', path), { recursive: true });
    writeFileSync(path, `import { describe, it } from 'node:test';\n${body}`);
    return { name, remove: () => rmSync(path) };
  };
  /** @type {{ what: string, body: string, tally: string, error?: RegExp, minutes?: number }[]} */
  const bodies = [
    {
      what: 'passed, failed and skipped tests',
      body: `describe('s', () => { it('a', () => {}); it('b', () => { throw new Error('wrong'); }); it('c', { skip: 'needs root' }, () => {}); });`,
      tally: '1 passed, 1 failed, 1 skipped',
      error: /Error: wrong/,
    },
    { what: 'a file without tests', body: '', tally: '0 passed, 1 failed, 0 skipped', error: /holds no test/ },
    {
      what: 'a crash',
      body: `it('a', () => {}); it('b', (_, done) => { console.log('bye'); setTimeout(() => process.exit(3), 100); });`,
      tally: '1 passed, 1 failed, 0 skipped',
      error: /status 3; its last words:\nbye/,
    },
    {
      what: 'an error after the last test',
      body: `it('a', () => {}); setTimeout(() => { throw new Error('late') }, 500);`,
      tally: '1 passed, 1 failed, 0 skipped',
      error: /late/,
    },
    {
      what: 'a hang',
      body: `it('a', () => {}); setInterval(() => {}, 1000); process.on('SIGTERM', () => process.exit(0));`,
      tally: '1 passed, 1 failed, 0 skipped',
      error: /did not end within/,
      minutes: 1 / 60,
    },
  ];
  for (const { what, body, tally: expected, error = /^$/, minutes } of bodies)
    it(`counts ${what}`, async () => {
      const { name, remove } = script(body);
      try {
        const results = await run(name, minutes);
        assert.equal(tally(results.map((result) => ({ ...result, file: name }))), expected);
        assert.match(results.map((result) => result.error ?? '').join(''), error);
      } finally {
        remove();
      }
    });

  it('ends what a hanging test has started', async () => {
    const note = join(root, 'pid');
    const { name, remove } = script(`import { spawn } from 'node:child_process';
      import { writeFileSync } from 'node:fs';
      it('a', async () => {
        writeFileSync(${JSON.stringify(note)}, String(spawn('sleep', ['60'], { stdio: 'ignore' }).pid));
        await new Promise((resolve) => setTimeout(resolve, 60_000));
      });`);
    try {
      await run(name, 1 / 60);
      const pid = Number(readFileSync(note, 'utf8'));
      for (let tries = 0; tries < 100 && runs(pid); tries++) await sleep(20);
      assert.equal(runs(pid), false);
    } finally {
      remove();
    }
  });

  it('does not take a torn last line for a result', () => {
    const ended = { code: null, killed: /** @type {const} */ ('SIGKILL'), late: false, output: '', minutes: 1 };
    const results = parseReport('{"result":"passed","name":"a","time":1}\n{"result":"pass', 'f', ended, 5);
    assert.deepEqual(
      results.map(({ result, error }) => [result, error]),
      [
        ['passed', undefined],
        ['failed', 'was ended by SIGKILL'],
      ],
    );
  });
});
