import type { Provider } from '../../reconciler/model/provider.ts';
import { applier } from './apply.ts';
import { believing } from './deaths.ts';
import type { DockerClient } from './client.ts';
import type { Spec } from './diff.ts';
import { diff } from './diff.ts';
import type { Namespaces } from './namespaces.ts';
import { namespaces } from './namespaces.ts';
import { observer } from './observe.ts';
import { merged } from './merged.ts';
import type { State } from './state.ts';
import { createStops } from './stops.ts';
import type { SandboxSysctls } from './sysctls.ts';
import { watchDocker } from './watch.ts';

/** What the provider stands on; `kernel` is where it learns of processes without asking Docker. */
export interface ContainersOptions {
  readonly client: DockerClient;
  readonly kernel?: Namespaces;
  /** Sysctls in sandboxes; without, they are set when a sandbox is made and not read again. */
  readonly sysctls?: SandboxSysctls;
}

/**
 * Images, sandboxes and containers in Docker. Without refs it observes all sandboxes and containers of any fleet and the
 * images they run, in one list call; a wanted image that nothing runs is asked for by name.
 */
export function containers(options: ContainersOptions): Provider<Spec, State> {
  const { kernel = namespaces(), sysctls } = options;
  const { client, note, deathOf } = believing(options.client);
  const stops = createStops();
  const eyes = observer(client, kernel, stops, sysctls);
  return {
    name: 'containers',
    kinds: ['image', 'sandbox', 'container'],
    observe: (ctx, refs) => eyes.observe(ctx, refs),
    diff,
    apply: applier(client, kernel, eyes, deathOf, sysctls),
    watch: (ctx) => {
      const events = watchDocker(client, ctx, (event, ref) => {
        note(event);
        stops.note(event);
        if (event.action === 'rename') eyes.stray(ref);
      });
      return sysctls ? merged(events, sysctls.rounds(ctx.signal)) : events;
    },
  };
}
