import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { dockerClient } from '../../providers/containers/client.ts';
import type { Spec } from '../../providers/containers/diff.ts';
import { containers } from '../../providers/containers/index.ts';
import type { Change } from '../../reconciler/model/change.ts';
import { code, Host } from '../support/containers-host.ts';
import { wantContainer, wantImage, wantSandbox } from '../support/containers.ts';
import { docker, removeContainers } from '../support/docker.ts';
import { ensureTestImage, TEST_IMAGE } from '../support/image.ts';
import { REGISTRY, startRegistry } from '../support/registry.ts';
import type { Registry } from '../support/registry.ts';

const skip = process.getuid?.() !== 0 ? 'needs root' : REGISTRY === undefined ? 'needs docker-registry' : false;

describe('images of a registry', { skip }, () => {
  let registry: Registry;
  let reference = '';
  /** The image by its content: `NAME@sha256:…`. */
  let pinned = '';
  const client = dockerClient();
  const host = new Host(containers({ client }));

  before(async () => {
    await ensureTestImage();
    registry = await startRegistry();
    reference = `${registry.name}/team/web:1`;
    await docker('tag', TEST_IMAGE, reference);
    const [digest = ''] = /sha256:[0-9a-f]{64}/.exec(await docker('push', reference)) ?? [];
    pinned = `${registry.name}/team/web@${digest}`;
    await docker('rmi', reference);
  });
  after(async () => {
    await removeContainers('plumb-r-');
    await docker('rmi', '-f', reference).catch(() => '');
    client.close();
    await registry.close();
  });

  it('are pulled where they are not on the host, and the digest is kept in the record', async () => {
    const image = wantImage(reference);
    const [pull] = await host.plan([image]);
    const { did, facts } = await host.provider.apply(pull as Change<Spec>, host.ctx());
    assert.equal(did, `pulled ${reference}`);
    assert.equal(facts?.['digest'], pinned);
    const changes = await host.plan([image, wantSandbox('r-0'), wantContainer('r-0', { image: reference })]);
    for (const change of changes) {
      const done = await host.provider.apply(change, host.ctx());
      if (done.observed) host.seen.set(change.ref, done.observed);
      if (change.ref === 'container/r-0') assert.equal(done.facts?.['digest'], pinned);
    }
    assert.equal(host.container('r-0').status, 'running');
  });

  it('are pulled by digest', async () => {
    await removeContainers('plumb-r-');
    await docker('rmi', '-f', reference).catch(() => '');
    await host.converge([wantImage(pinned)]);
    assert.equal(await docker('image', 'inspect', '-f', '{{index .RepoDigests 0}}', pinned), pinned);
    await docker('rmi', '-f', pinned);
  });

  it('that the registry does not have are named with its words', async () => {
    const missing = `${registry.name}/team/other:1`;
    const [pull] = await host.plan([wantImage(missing)]);
    await assert.rejects(host.provider.apply(pull as Change<Spec>, host.ctx()), (error) => {
      assert.ok(code('IMAGE_UNAVAILABLE')(error));
      assert.match((error as Error).message, /manifest.*unknown|not found/);
      return true;
    });
  });
});
