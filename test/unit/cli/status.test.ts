import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { renderStatus } from '../../../cli/status.ts';
import type { Io } from '../../../cli/io.ts';
import type { Status, StatusItem } from '../../../reconciler/loop/status.ts';

const io = { color: false } as Io;

function item(n: number, change: Partial<StatusItem> = {}): StatusItem {
  const base = {
    ref: `replica/web-${String(n)}`,
    host: 'h1',
    sync: 'Synced',
    health: 'Healthy',
    reason: 'Ready',
  } as const;
  return { ...base, ...change };
}

function status(items: readonly StatusItem[]): Status {
  const nothing = { problems: 0, limitations: [], held: [], messages: [], draining: [] };
  return { version: 1, revision: 'abcdef0123', sync: 'Synced', health: 'Healthy', items, ...nothing };
}

describe('a status of many replicas', () => {
  const many = Array.from({ length: 200 }, (_, n) => item(n));
  const lines = (text: string): readonly string[] => text.split('\n').filter((line) => line.startsWith('web-'));
  it('shows those that are not well first, and counts the rest', () => {
    const ill = { sync: 'OutOfSync', health: 'Degraded', reason: 'CrashLoop: ended' } as const;
    const text = renderStatus(status([...many, item(200, ill)]), io);
    assert.equal(lines(text).length, 50);
    assert.match(lines(text)[0] ?? '', /^web-200 .*CrashLoop/);
    assert.match(text, /… and 151 more, all Synced and Healthy: --all shows them/);
    const all = Array.from({ length: 60 }, (_, n) => item(n, ill));
    assert.match(renderStatus(status(all), io), /… and 10 more, 10 of them not well: --all shows them/);
  });
  it('shows all when asked to, or when they are few', () => {
    assert.equal(lines(renderStatus(status(many), io, { all: true })).length, 200);
    assert.equal(lines(renderStatus(status(many.slice(0, 50)), io)).length, 50);
  });
});
