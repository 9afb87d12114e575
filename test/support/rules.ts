import { diffCores } from '../../providers/cgroups/cores-diff.ts';
import { diffCgroup } from '../../providers/cgroups/diff.ts';
import { diff as diffContainers } from '../../providers/containers/diff.ts';
import { fixedPart, fixedSandboxPart } from '../../providers/containers/spec.ts';
import { diffSysctl } from '../../providers/host/diff.ts';
import { diffOvs } from '../../providers/ovs/diff.ts';
import { diffByRef, type Provider } from '../../reconciler/model/provider.ts';

/** The diffs of the real providers, which the simulated one is held to. */
export const RULES = [
  { kinds: ['image', 'sandbox', 'container'], diff: diffContainers },
  { kinds: ['bridge', 'port', 'ovs-config'], diff: diffOvs },
  { kinds: ['cgroup'], diff: diffByRef(diffCgroup) },
  { kinds: ['cores'], diff: diffByRef(diffCores) },
  { kinds: ['sysctl'], diff: diffByRef(diffSysctl) },
] as unknown as readonly Pick<Provider, 'kinds' | 'diff'>[];

/** The parts of containers and sandboxes that only new ones can change. */
export const FIXED: { readonly container: typeof fixedPart; readonly sandbox: typeof fixedSandboxPart } = {
  container: fixedPart,
  sandbox: fixedSandboxPart,
};
