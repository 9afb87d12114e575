import { dockerClient } from '../../providers/containers/client.ts';
import { containers } from '../../providers/containers/index.ts';
import type { Spec } from '../../providers/containers/diff.ts';
import type { State } from '../../providers/containers/state.ts';
import { nameOf, refOf } from '../../reconciler/model/ref.ts';
import type { Bench } from '../conformance/provider.ts';
import { conforms } from '../conformance/provider.ts';
import { ensureTestImage, TEST_IMAGE } from '../support/image.ts';
import { docker, removeContainers } from '../support/docker.ts';
import { wantContainer, wantImage, wantSandbox } from '../support/containers.ts';

const FLEET = 'laws';

/** Two replicas; one alone with another hostname; the other with another command. A stranger holds the name of a third. */
async function bench(): Promise<Bench<Spec, State>> {
  await ensureTestImage();
  await removeContainers('plumb-law');
  await docker('run', '-d', '--name', 'plumb-law-9', '--network', 'none', TEST_IMAGE, 'sleep', '1000');
  const client = dockerClient();
  const pair = (n: string, args: readonly string[], hostname: string) => [
    wantSandbox(`law-${n}`, { hostname }),
    wantContainer(`law-${n}`, { args }),
  ];
  const image = wantImage(TEST_IMAGE);
  return {
    provider: containers({ client }),
    ctx: { signal: AbortSignal.timeout(120_000), fleet: FLEET, world: { get: () => undefined } },
    states: [
      [image, ...pair('0', ['1000'], 'law-0'), ...pair('1', ['1000'], 'law-1')],
      [image, ...pair('0', ['1000'], 'renamed'), ...pair('1', ['2000'], 'law-1')],
      [image, ...pair('1', ['2000'], 'law-1')],
    ],
    strangers: [refOf('container', 'law-9')],
    together: nameOf,
    snapshot: () => docker('ps', '-a', '--no-trunc', '--format', '{{.ID}} {{.Names}} {{.State}} {{.Labels}}'),
    close: async () => {
      client.close();
      await removeContainers('plumb-law');
    },
  };
}

conforms('containers', bench, { skip: process.getuid?.() === 0 ? false : 'needs root' });
