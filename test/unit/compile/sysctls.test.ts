import assert from 'node:assert/strict';
import { it } from 'node:test';
import { compile } from '../../../reconciler/compile/compile.ts';
import { manifest, SOUND, sourceFiles } from '../../support/manifests.ts';

it('sysctls that no network namespace has of its own are a problem of an App, with the line, and others are none', () => {
  const problems = (key: string): readonly string[] => {
    const app = manifest('App', 'x', `image: a:1\nzone: main\nnetwork: { name: net }\nsysctls:\n  ${key}: 4096`);
    const { problems: found } = compile(sourceFiles({ ...SOUND, 'x.yaml': app }), 'r1');
    return found.map(
      ({ code, file, line, message, hint = '' }) => `${code} ${file}:${String(line)} ${message}: ${hint}`,
    );
  };
  for (const key of [
    'net.ipv4.neigh.default.gc_thresh1',
    'net.netfilter.nf_conntrack_max',
    'net.netfilter.nf_conntrack_buckets',
    'net.core.netdev_max_backlog',
    'net.core.rps_sock_flow_entries',
  ])
    assert.deepEqual(problems(key), [
      `BAD_VALUE x.yaml:10 ${key} is the machine's: a replica's network namespace has none of its own: set it in a Tuning (spec.sysctls)`,
    ]);
  for (const key of [
    'net.core.somaxconn',
    'net.ipv4.tcp_max_syn_backlog',
    'net.ipv4.neigh.eth0.gc_stale_time',
    'net.netfilter.nf_conntrack_tcp_timeout_established',
  ])
    assert.deepEqual(problems(key), [], key);
});
