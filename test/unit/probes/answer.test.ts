import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { failed, httpRequest, judgeHttp } from '../../../providers/probes/answer.ts';
import { createProber } from '../../../providers/probes/index.ts';
import type { Visitor } from '../../../providers/probes/visitor.ts';
import { PlumbError } from '../../../reconciler/model/errors.ts';

const target = { pid: 1, containerId: 'c', address: '10.0.0.2' };
const never = new AbortController().signal;
const noExec = () => Promise.reject(new Error('not asked'));

describe('an HTTP probe', () => {
  for (const [line, ok, message] of [
    ['HTTP/1.1 200 OK', true, 'HTTP 200'],
    ['HTTP/1.0 204', true, 'HTTP 204'],
    ['HTTP/1.1 302 Found', true, 'HTTP 302'],
    ['HTTP/1.1 399 x', true, 'HTTP 399'],
    ['HTTP/1.1 400 Bad Request', false, 'HTTP 400'],
    ['HTTP/1.1 503 no', false, 'HTTP 503'],
    ['HTTP/1.1 100 Continue', false, 'HTTP 100'],
    ['SSH-2.0-OpenSSH', false, 'not HTTP: SSH-2.0-OpenSSH'],
    ['', false, 'closed without an answer'],
  ] as const)
    it(`"${line}" ${ok ? 'passes' : 'fails'}`, () => {
      assert.deepEqual(judgeHttp(line), { ok, message });
    });

  it('is one request whatever the path holds', () => {
    assert.match(
      httpRequest('10.0.0.2', 80, '/a b?c=ü').toString(),
      /^GET \/a%20b\?c=%C3%BC HTTP\/1\.1\r\nHost: 10\.0\.0\.2:80\r\n/,
    );
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (path) => {
        const lines = httpRequest('10.0.0.2', 80, `/${path}`).toString('latin1').split('\r\n');
        assert.equal(lines.length, 7);
        assert.match(lines[0] ?? '', /^GET \/[\x21-\x7e]* HTTP\/1\.1$/);
      }),
    );
  });

  it('names the errno', () => {
    assert.deepEqual(failed(111, 'connect'), { ok: false, message: 'connect: ECONNREFUSED' });
    assert.deepEqual(failed(0, 'no answer in time'), { ok: false, message: 'no answer in time' });
  });
});

describe('a prober', () => {
  const unused = () => Promise.resolve({ broken: 'not asked for' });
  const visitor = (visit: Visitor['visit']): Visitor => ({
    visit,
    read: unused,
    write: unused,
    close: () => undefined,
  });
  const silent = visitor(
    (_pid, _address, _port, _request, signal) =>
      new Promise((resolve) => {
        signal.addEventListener('abort', () => {
          resolve({ errno: 0, at: 'no answer in time' });
        });
      }),
  );

  it('takes the next visitor only when one does not work at all', async () => {
    const broken = visitor(() => Promise.resolve({ broken: 'perl ended' }));
    const refused = visitor(() => Promise.resolve({ errno: 111, at: 'connect' }));
    const works = visitor(() => Promise.resolve({ line: '' }));
    const ask = (...visitors: Visitor[]) =>
      createProber({ exec: noExec, visitors }).probe(target, { type: 'tcp', port: 1 }, 1000, never);
    assert.equal((await ask(broken, works)).ok, true);
    assert.deepEqual(await ask(refused, works), { ok: false, message: 'connect: ECONNREFUSED' });
    assert.deepEqual(await ask(broken), { ok: false, message: 'perl ended' });
  });

  it('is bounded by its timeout, and cancelled by the signal', async () => {
    const prober = createProber({ exec: noExec, visitors: [silent] });
    assert.equal((await prober.probe(target, { type: 'tcp', port: 1 }, 5, never)).ok, false);
    const stop = new AbortController();
    const asked = prober.probe(target, { type: 'tcp', port: 1 }, 60_000, stop.signal);
    stop.abort();
    await assert.rejects(asked, (error) => error instanceof PlumbError && error.code === 'CANCELLED');
  });

  it('takes the exit status of a command and its last line', async () => {
    const exec = () => Promise.resolve({ exitCode: 3, output: 'first\nlast words\n' });
    const prober = createProber({ exec, visitors: [] });
    const result = await prober.probe(target, { type: 'exec', command: ['x'] }, 1000, never);
    assert.deepEqual(result, { ok: false, message: 'exit 3: last words' });
    const down = createProber({ exec: noExec, visitors: [] });
    assert.deepEqual(await down.probe(target, { type: 'exec', command: ['x'] }, 1000, never), {
      ok: false,
      message: 'not asked',
    });
  });
});
