import { refOf, nameOf, kindOf } from '../../reconciler/model/ref.ts';
import type { Prober } from '../../reconciler/model/probe.ts';
import { thingsIn } from './things.ts';

/** Probes of simulated containers succeed while they run, unless their file says `"ready": false`. */
export function simulatedProber(dir: string): Prober {
  const things = thingsIn(dir, ['container']);
  return {
    probe({ containerId }) {
      for (const ref of things.all()) {
        const thing = things.get(refOf(kindOf(ref), nameOf(ref)));
        if (!thing || 'why' in thing || thing.state['id'] !== containerId) continue;
        if (thing.state['status'] !== 'running') return Promise.resolve({ ok: false, message: 'it does not run' });
        const ok = thing.ready !== false;
        return Promise.resolve({ ok, message: ok ? 'simulated' : 'its file says "ready": false' });
      }
      return Promise.resolve({ ok: false, message: 'there is no such container' });
    },
    close: () => undefined,
  };
}
