import type { Provider } from '../../reconciler/model/provider.ts';
import { applier } from './apply.ts';
import { believing } from './deaths.ts';
import type { DockerClient } from './client.ts';
import type { Spec } from './diff.ts';
import { diff } from './diff.ts';
import type { Namespaces } from './namespaces.ts';
import { namespaces } from './namespaces.ts';
import { observer } from './observe.ts';
import type { State } from './state.ts';
import { watchDocker } from './watch.ts';

/** What the provider stands on; `kernel` is where it learns of processes without asking Docker. */
export interface ContainersOptions {
  readonly client: DockerClient;
  readonly kernel?: Namespaces;
}

/**
 * Images, sandboxes and containers in Docker. Without refs it observes all sandboxes and containers of any fleet and the
 * images they run, in one list call; a wanted image that nothing runs is asked for by name.
 */
export function containers(options: ContainersOptions): Provider<Spec, State> {
  const { kernel = namespaces() } = options;
  const { client, note, deathOf } = believing(options.client);
  const eyes = observer(client, kernel);
  return {
    name: 'containers',
    kinds: ['image', 'sandbox', 'container'],
    observe: (ctx, refs) => eyes.observe(ctx, refs),
    diff,
    apply: applier(client, kernel, eyes, deathOf),
    watch: (ctx) =>
      watchDocker(client, ctx, (event, ref) => {
        note(event);
        if (event.action === 'rename') eyes.stray(ref);
      }),
  };
}
