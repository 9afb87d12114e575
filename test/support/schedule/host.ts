import type { Prober } from '../../../reconciler/model/probe.ts';
import type { Provider } from '../../../reconciler/model/provider.ts';
import { nameOf } from '../../../reconciler/model/ref.ts';
import { BAD_IMAGE, imageId, type HostName } from './git.ts';
import type { Laws } from './laws.ts';
import type { SimulatedHost } from '../simulated-host.ts';

/** A prober whose bad image never answers. */
export function probing(prober: Prober, host: SimulatedHost): Prober {
  return {
    ...prober,
    probe: async (container, ...rest) => {
      const answer = await prober.probe(container, ...rest);
      const mine = [...host.all('container').values()].find(({ state }) => state['id'] === container.containerId);
      const bad = mine?.state['image'] === imageId(BAD_IMAGE);
      return bad ? { ok: false, message: 'nothing listens' } : answer;
    },
  };
}

/** A provider each of whose changes is held to the laws. */
export function lawful(provider: Provider, host: HostName, laws: Laws): Provider {
  return {
    ...provider,
    apply: async (change, ctx) => {
      const made = laws.changing(host, nameOf(change.ref));
      try {
        return await provider.apply(change, ctx);
      } finally {
        made();
      }
    },
  };
}
