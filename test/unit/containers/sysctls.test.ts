import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { merged } from '../../../providers/containers/merged.ts';
import { sandboxSysctls } from '../../../providers/containers/sysctls.ts';
import { canonical } from '../../../reconciler/model/fingerprint.ts';
import type { NamespaceFiles } from '../../../reconciler/model/namespace-files.ts';
import type { SandboxState } from '../../../reconciler/model/resources.ts';
import { code } from '../../support/containers-host.ts';

const ASKED = { 'net.core.somaxconn': '777', 'net.ipv4.ip_local_port_range': '20000 30000' };
const never = new AbortController().signal;

/** A kernel of namespaces: process → file → text, with its own form of some values. */
function kernel(own: Readonly<Record<string, string>> = {}) {
  const spaces = new Map<number, Map<string, string>>();
  const log: string[] = [];
  const make = (pid: number, values: Readonly<Record<string, string>>): void => {
    const entries = Object.entries(values).map(([key, text]) => [key, `${text.replaceAll(' ', '\t')}\n`] as const);
    spaces.set(pid, new Map(entries));
  };
  const keyOf = (file: string): string => file.replace('/proc/sys/', '').replaceAll('/', '.');
  const space = (pid: number): Map<string, string> => {
    const found = spaces.get(pid);
    if (!found) throw new Error('gone');
    return found;
  };
  const files: NamespaceFiles = {
    read: (pid, names) => {
      log.push(`read ${String(pid)}`);
      return Promise.resolve().then(() => names.map((name) => space(pid).get(keyOf(name))));
    },
    write: (pid, file, text) => {
      log.push(`write ${String(pid)} ${keyOf(file)} ${text}`);
      space(pid).set(keyOf(file), own[text] ?? text);
      return Promise.resolve();
    },
  };
  return { files, make, hand: (pid: number, key: string, text: string) => space(pid).set(key, text), spaces, log };
}

function sandbox(id: string, pid: number, sysctls: Readonly<Record<string, string>> = ASKED): SandboxState {
  return { id, pid, running: true, status: 'running', fingerprint: '', made: canonical({ hostname: 'x', sysctls }) };
}

/** The first refs of a round. */
async function hints(sysctls: ReturnType<typeof sandboxSysctls>, most: number, ms = 5000): Promise<readonly string[]> {
  const stop = AbortSignal.timeout(ms);
  const found: string[] = [];
  for await (const ref of sysctls.rounds(stop)) if (found.push(ref) === most) break;
  return found;
}

describe('sysctls of sandboxes', () => {
  it('are read in turn, each once in a round, without a word while all are right', async () => {
    const { files, make, log } = kernel();
    const sysctls = sandboxSysctls({ files, round: 300, tick: 1 });
    for (const pid of [1, 2, 3]) {
      make(pid, ASKED);
      const state = sandbox(`s${String(pid)}`, pid);
      assert.equal(sysctls.noted(`sandbox/web-${String(pid)}`, state), state);
    }
    sysctls.noted('sandbox/bare-0', sandbox('bare', 4, {}));
    const stop = new AbortController();
    const rounds = (async () => {
      for await (const ref of sysctls.rounds(stop.signal)) assert.fail(ref);
    })();
    while (log.length < 9) await new Promise((resolve) => setTimeout(resolve, 5));
    stop.abort();
    await rounds;
    assert.deepEqual(
      log.slice(0, 9),
      [1, 2, 3, 1, 2, 3, 1, 2, 3].map((pid) => `read ${String(pid)}`),
    );
  });

  it('are read at once of those that ran before, once, and not of those of our own making', async () => {
    const { files, make, log } = kernel();
    const sysctls = sandboxSysctls({ files });
    for (const pid of [1, 2, 3]) make(pid, { ...ASKED, ...(pid === 2 ? { 'net.core.somaxconn': '5' } : {}) });
    sysctls.made('s3');
    const look = async (): Promise<readonly unknown[]> => {
      const states = [1, 2, 3].map((pid) => [`sandbox/web-${String(pid)}`, sandbox(`s${String(pid)}`, pid)] as const);
      for (const [ref, state] of states) sysctls.noted(ref, state);
      await sysctls.firstLook(never);
      return states.map(([ref, state]) => sysctls.noted(ref as 'sandbox/web-1', state).sysctls);
    };
    for (const _time of [1, 2]) assert.deepEqual(await look(), [undefined, { 'net.core.somaxconn': '5' }, undefined]);
    assert.deepEqual(log, ['read 1', 'read 2']);
    make(4, {});
    sysctls.noted('sandbox/gone-0', sandbox('s9', 9));
    await sysctls.firstLook(never);
    assert.equal(sysctls.noted('sandbox/gone-0', sandbox('s9', 9)).sysctls, undefined, 'it ended meanwhile');
  });

  it('that differ are told once, seen with the sandbox, and put back where it is', async () => {
    const { files, make, hand, spaces, log } = kernel();
    const sysctls = sandboxSysctls({ files, round: 10, tick: 1 });
    make(1, ASKED);
    const state = sandbox('s1', 1);
    sysctls.noted('sandbox/web-0', state);
    hand(1, 'net.core.somaxconn', '5\n');
    assert.deepEqual(await hints(sysctls, 2, 300), ['sandbox/web-0'], 'told once');
    assert.deepEqual(sysctls.noted('sandbox/web-0', state).sysctls, { 'net.core.somaxconn': '5' });
    assert.equal(await sysctls.restore('sandbox/web-0', 's1', never), 'net.core.somaxconn 5 -> 777');
    assert.equal(spaces.get(1)?.get('net.core.somaxconn'), '777');
    assert.deepEqual(
      log.filter((line) => line.startsWith('write')),
      ['write 1 net.core.somaxconn 777'],
    );
    assert.equal(sysctls.noted('sandbox/web-0', state), state);
  });

  it('that the kernel writes in a form of its own are right in it', async () => {
    const asked = { 'net.ipv4.ip_local_reserved_ports': '1,2,3' };
    const { files, make } = kernel({ '1,2,3': '1-3' });
    const sysctls = sandboxSysctls({ files, round: 10, tick: 1 });
    make(1, { 'net.ipv4.ip_local_reserved_ports': '1-3' });
    sysctls.noted('sandbox/web-0', sandbox('s1', 1, asked));
    assert.deepEqual(await hints(sysctls, 1), ['sandbox/web-0']);
    await sysctls.restore('sandbox/web-0', 's1', never);
    assert.deepEqual(await hints(sysctls, 1, 200), []);
  });

  it('of a sandbox that was restarted, has ended or is another are looked at afresh, or not at all', async () => {
    const { files, make, hand, spaces } = kernel();
    const sysctls = sandboxSysctls({ files, round: 10, tick: 1 });
    make(1, ASKED);
    sysctls.noted('sandbox/web-0', sandbox('s1', 1));
    hand(1, 'net.core.somaxconn', '5');
    await hints(sysctls, 1);
    spaces.clear();
    assert.deepEqual(await hints(sysctls, 1, 100), [], 'gone: what was seen last holds');
    make(2, ASKED);
    assert.equal(sysctls.noted('sandbox/web-0', sandbox('s1', 2)).sysctls, undefined);
    await assert.rejects(sysctls.restore('sandbox/web-0', 's0', never), code('CONFLICT'));
    sysctls.retain(new Map());
    await assert.rejects(sysctls.restore('sandbox/web-0', 's1', never), code('CONFLICT'));
  });

  it('are none where the label that keeps them is not to be believed', async () => {
    const { files, log } = kernel();
    const sysctls = sandboxSysctls({ files, round: 1, tick: 1 });
    for (const [at, made] of [
      '',
      '[',
      'null',
      '7',
      canonical({ sysctls: { 'kernel.x': '1', 'net...etc': '1' } }),
    ].entries())
      sysctls.noted(`sandbox/x-${String(at)}`, { ...sandbox(String(at), at + 1), made });
    assert.deepEqual(await hints(sysctls, 1, 50), []);
    assert.deepEqual(log, []);
  });
});

describe('two sources of hints', () => {
  const of = async function* (...items: readonly (string | Error)[]): AsyncIterable<string> {
    for (const item of items) {
      await new Promise((resolve) => setImmediate(resolve));
      if (item instanceof Error) throw item;
      yield item;
    }
  };
  it('are one, and what one throws ends it', async () => {
    const all: string[] = [];
    for await (const item of merged(of('a', 'b'), of(), of('c'))) all.push(item);
    assert.deepEqual(all.sort(), ['a', 'b', 'c']);
    await assert.rejects(async () => {
      for await (const item of merged(of('a', new Error('broke')), of('c', 'd', 'e'))) assert.ok(item);
    }, /broke/);
  });
});
