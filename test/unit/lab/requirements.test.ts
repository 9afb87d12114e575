import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { hostEnv } from '../../../lab/exec.ts';
import { requireMachine } from '../../../lab/requirements.ts';

const root = process.platform === 'linux' && process.getuid?.() === 0 ? false : 'needs root';

describe('requireMachine', () => {
  it('names every missing program and the packages that have them', { skip: root }, () => {
    const find = (name: string): string | undefined => (/ovs|busybox/.test(name) ? undefined : `/usr/bin/${name}`);
    assert.throws(() => requireMachine(find), {
      code: 'MISSING_PROGRAM',
      message: /ovsdb-server.*busybox.*apt-get install openvswitch-switch openvswitch-common busybox-static$/,
    });
  });

  it('takes tini where docker-init is not there', { skip: root }, () => {
    const find = (name: string): string | undefined => (name === 'docker-init' ? undefined : `/usr/bin/${name}`);
    assert.equal(requireMachine(find).init, '/usr/bin/tini');
  });

  it('says that it needs root', { skip: root === false ? 'is root' : false }, () => {
    assert.throws(() => requireMachine(), { code: 'LAB_FAILED', message: /root|Linux/ });
  });
});

describe('hostEnv', () => {
  it('keeps what a command needs and drops what leads back to the machine', () => {
    const env = hostEnv(
      {
        TERM: 'xterm',
        CI: '1',
        DOCKER_HOST: 'tcp://x',
        OVS_RUNDIR: '/x',
        XDG_RUNTIME_DIR: '/run/user/0',
        HOME: '/home/me',
      },
      { A: 'b' },
    );
    assert.deepEqual(Object.keys(env).toSorted(), ['A', 'CI', 'HOME', 'LANG', 'PATH', 'TERM']);
    assert.equal(env['HOME'], '/root');
    assert.match(env['PATH'] ?? '', /\/usr\/sbin/);
  });
});
