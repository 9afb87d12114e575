import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { explainCommand } from '../../../cli/verbs/explain.ts';
import { planCommand } from '../../../cli/verbs/plan.ts';
import { whyCommand } from '../../../cli/verbs/why.ts';
import { compile } from '../../../reconciler/compile/compile.ts';
import type { Known, LocalView } from '../../../reconciler/loop/status/view.ts';
import { hostViews } from '../../../reconciler/place/hosts.ts';
import { place } from '../../../reconciler/place/place.ts';
import { project } from '../../../reconciler/plan/project.ts';
import { createBook } from '../../../reconciler/model/book.ts';
import { readFolder } from '../../../reconciler/source/folder.ts';
import { reportOf } from '../../support/catalog.ts';
import { commitAll } from '../../support/placing.ts';
import { answering, speak, type Spoken } from '../../support/verb.ts';

const DOCUMENTS = `apiVersion: plumbline/v1
kind: Fleet
metadata: { name: f }
spec: {}
---
apiVersion: plumbline/v1
kind: Zone
metadata: { name: main }
spec: { hosts: { matchLabels: { pool: main } } }
---
apiVersion: plumbline/v1
kind: Network
metadata: { name: front }
spec: { vlan: 100, cidr: 10.1.0.0/24, ranges: [10.1.0.10-10.1.0.99] }
---
apiVersion: plumbline/v1
kind: Host
metadata: { name: h1, labels: { pool: main } }
spec: {}
---
apiVersion: plumbline/v1
kind: Host
metadata: { name: h2, labels: { pool: main } }
spec: {}
---
apiVersion: plumbline/v1
kind: App
metadata: { name: web }
spec: { image: "plumbline/busybox:1", zone: main, network: { name: front }, replicas: 2 }
---
apiVersion: plumbline/v1
kind: Tuning
metadata: { name: net }
spec: { hosts: { matchLabels: { pool: main } }, sysctls: { net.core.somaxconn: "4096" } }
`;

/** What a controller knows that has placed these documents and told both hosts. */
async function knownOf(folder: string, revision: string, url: string): Promise<Known> {
  const catalog = compile(await readFolder(folder), revision);
  assert.deepEqual(catalog.problems, []);
  const reports = ['h1', 'h2'].map((host) => reportOf(host));
  const book = createBook();
  const input = { catalog, snapshot: book, reports, assignments: [], now: 0 };
  commitAll(book, place({ ...input, hosts: hostViews(catalog, reports, book) }).proposals, 0);
  const { placements } = book;
  const { assignments } = project({ catalog, author: '', placements, previous: new Map(), reports, now: 0 });
  const snapshot = { cursor: 1, hosts: book.hosts, placements, addresses: book.addresses };
  const source = { url, ref: 'main', kind: 'ref', path: 'prod', revision, fetchedAt: 0 } as const;
  return { snapshot, assignments, reports, hidden: [], source };
}

describe('verbs that were told no repository', () => {
  let known: Known;
  const view: Partial<LocalView> = {
    known: () => Promise.resolve(known),
    reports: (hosts) => Promise.resolve(known.reports.filter(({ host }) => hosts.includes(host))),
    journal: async function* () {
      yield* await Promise.resolve([]);
    },
  };
  const dir = answering(view);
  const repo = join(dir, 'repo');
  before(async () => {
    mkdirSync(join(repo, 'prod'), { recursive: true });
    writeFileSync(join(repo, 'prod', 'all.yaml'), DOCUMENTS);
    const git = (...argv: string[]): string => execFileSync('git', ['-C', repo, ...argv], { encoding: 'utf8' }).trim();
    git('init', '-q', '-b', 'main');
    git('add', '-A');
    git('-c', 'user.name=Ann', '-c', 'user.email=ann@example.com', 'commit', '-qm', 'First');
    known = await knownOf(join(repo, 'prod'), git('rev-parse', 'HEAD'), repo);
    mkdirSync(join(dir, 'elsewhere'));
  });
  const ask = (verb: Parameters<typeof speak>[0], ...argv: readonly string[]): Promise<Spoken> =>
    speak(verb, join(dir, 'elsewhere'), ...argv, '--socket', join(dir, 'state', 'plumb.sock'));

  it('why names commit and author of what the controller follows, and every host', async () => {
    const { out } = await ask(whyCommand, 'sysctl/net.core.somaxconn');
    assert.match(
      out,
      /is 4096 on h1, h2\n {2}set by +prod\/all\.yaml:\d+\n {2}commit +[0-9a-f]{7} {2}First\n {2}author +Ann/,
    );
    const { answers } = JSON.parse((await ask(whyCommand, 'sysctl/net.core.somaxconn', '-o', 'json')).out) as {
      readonly answers: readonly { readonly host: string; readonly commit: string }[];
    };
    assert.deepEqual(
      answers.map(({ host, commit }) => [host, commit]),
      ['h1', 'h2'].map((host) => [host, known.source?.revision]),
    );
  });

  it('why keeps to the host that is asked for, and says where else the thing is', async () => {
    assert.match((await ask(whyCommand, 'sysctl/net.core.somaxconn', '--host', 'h2')).out, / on h2\n/);
    await assert.rejects(ask(whyCommand, 'container/web-0', '--host', 'h2'), {
      code: 'USAGE',
      message: /asks for container\/web-0 on h2; it is to be on h1$/,
    });
  });

  it('why says of what is several things to ask for one', async () => {
    for (const whole of ['app/web', 'replica/web-0', 'host/h1'])
      await assert.rejects(ask(whyCommand, whole), {
        code: 'USAGE',
        message: /is several things: ask for one, as container\/web-0/,
      });
  });

  it('take the one that the controller follows, with its folder', async () => {
    assert.match((await ask(explainCommand, 'web-0', '--simulated', '--host', 'h1')).out, /^web-0 is on h1/);
    assert.match((await ask(planCommand, '--simulated', '--host', 'h1')).out, /^plan [0-9a-f]{7}\n/);
  });

  it('say how old it is when it cannot be fetched now', async () => {
    renameSync(repo, `${repo}.away`);
    try {
      const { out, err } = await ask(planCommand, '--simulated', '--host', 'h1');
      assert.match(out, /^plan [0-9a-f]{7}\n/);
      assert.match(err, /^source .*\/repo main: last fetched \d+ s ago: /m);
    } finally {
      renameSync(`${repo}.away`, repo);
    }
  });

  it('say so when it cannot be read from here', async () => {
    renameSync(repo, `${repo}.away`);
    rmSync(join(dir, 'elsewhere', 'state'), { recursive: true });
    try {
      await assert.rejects(ask(explainCommand, 'web-0'), {
        code: 'SOURCE_UNREACHABLE',
        message: /which is followed, cannot be read from here.*--repo$/,
      });
      const { out } = await ask(whyCommand, 'container/web-0', 'image');
      assert.match(out, /set by +prod\/all\.yaml:\d+\n {2}commit +not known here: .*repo/);
    } finally {
      renameSync(`${repo}.away`, repo);
    }
  });
});
