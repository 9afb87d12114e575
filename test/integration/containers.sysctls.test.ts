import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, describe, it } from 'node:test';
import { dockerClient } from '../../providers/containers/client.ts';
import { containers } from '../../providers/containers/index.ts';
import { sandboxSysctls } from '../../providers/containers/sysctls.ts';
import { namespaceFiles } from '../../providers/probes/files.ts';
import { nodeVisitor, perlVisitor } from '../../providers/probes/visitor.ts';
import { Host, code, pidOf, words } from '../support/containers-host.ts';
import { wantSandbox } from '../support/containers.ts';
import { removeContainers } from '../support/docker.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root';
const never = new AbortController().signal;
const SOMAXCONN = '/proc/sys/net/core/somaxconn';

function inside(pid: number, ...command: readonly string[]): string {
  return execFileSync('nsenter', [`--net=/proc/${String(pid)}/ns/net`, ...command], { encoding: 'utf8' }).trim();
}

function hand(pid: number, file: string, text: string): void {
  execFileSync('nsenter', [`--net=/proc/${String(pid)}/ns/net`, 'tee', file], { input: text });
}

describe('sysctls changed by hand inside a sandbox', { skip }, () => {
  const client = dockerClient();
  before(() => removeContainers('plumb-s-'));
  after(async () => {
    await removeContainers('plumb-s-');
    client.close();
  });

  for (const [name, visitors] of [
    ['the perl process', [perlVisitor()].filter((visitor) => visitor !== undefined)],
    ['programs, where there is no perl', [nodeVisitor()]],
  ] as const)
    it(`are found in turn and put back where they are, by ${name}`, async () => {
      const sysctls = { 'net.core.somaxconn': '777', 'net.ipv4.ip_local_port_range': '20000 30000' };
      const desired = [wantSandbox('s-0', { sysctls }), wantSandbox('s-1', { sysctls })];
      const files = namespaceFiles(visitors);
      const provider = containers({ client, sysctls: sandboxSysctls({ files, round: 500, tick: 50 }) });
      const host = new Host(provider);
      const stop = new AbortController();
      try {
        await host.converge(desired);
        const pid = await pidOf('plumb-s-0-sandbox');
        const own = execFileSync('cat', [SOMAXCONN], { encoding: 'utf8' }).trim();
        hand(pid, SOMAXCONN, '5');
        hand(pid, '/proc/sys/net/ipv4/ip_local_port_range', '1 9');
        const context = { ...host.ctx(), signal: AbortSignal.any([stop.signal, AbortSignal.timeout(60_000)]) };
        for await (const ref of provider.watch?.(context) ?? []) if (ref === 'sandbox/s-0') break;
        const [change, ...others] = await host.plan(desired);
        assert.ok(change);
        assert.deepEqual([words([change]), others], [['update sandbox/s-0 drift none'], []]);
        assert.deepEqual(
          change.fields.map(({ path, have, want }) => [path, have, want]),
          [
            ['/sysctls/net.core.somaxconn', '5', '777'],
            ['/sysctls/net.ipv4.ip_local_port_range', '1 9', '20000 30000'],
          ],
        );
        await host.apply(change);
        assert.equal(inside(pid, 'cat', SOMAXCONN), '777');
        assert.equal(inside(pid, 'cat', '/proc/sys/net/ipv4/ip_local_port_range'), '20000\t30000');
        assert.equal(await pidOf('plumb-s-0-sandbox'), pid);
        assert.deepEqual(await host.plan(desired), []);
        assert.equal(execFileSync('cat', [SOMAXCONN], { encoding: 'utf8' }).trim(), own, 'the host has its own');
        hand(pid, SOMAXCONN, '6');
        const once = containers({ client, sysctls: sandboxSysctls({ files }) });
        const [found] = await new Host(once).plan(desired);
        assert.deepEqual(
          found?.fields.map(({ path, have, want }) => [path, have, want]),
          [['/sysctls/net.core.somaxconn', '6', '777']],
          'who looks once sees it',
        );
        hand(pid, SOMAXCONN, '777');
        await assert.rejects(files.write(pid, SOMAXCONN, '-7', never), code('KNOB_REFUSED'));
        const texts = await files.read(pid, ['/proc/sys/net/none', SOMAXCONN], never);
        assert.deepEqual(
          texts.map((text) => text?.trim()),
          [undefined, '777'],
        );
        await assert.rejects(files.read(2 ** 22 - 1, [SOMAXCONN], never), code('CONFLICT'));
      } finally {
        stop.abort();
        for (const visitor of visitors) visitor.close();
      }
    });
});
