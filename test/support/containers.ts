import type { Desired } from '../../reconciler/model/change.ts';
import { refOf } from '../../reconciler/model/ref.ts';
import type { ContainerSpec, ImageSpec, SandboxSpec } from '../../reconciler/model/resources.ts';
import { TEST_IMAGE } from './image.ts';

const origin = { revision: 'test', file: 'test.yaml', line: 1, column: 1 };

/** An image that is wanted. */
export function wantImage(reference: string): Desired<ImageSpec> {
  return { ref: refOf('image', reference), spec: { reference }, dependsOn: [], origin };
}

/** A sandbox that is wanted; `change` over a plain one. */
export function wantSandbox(replica: string, change: Partial<SandboxSpec> = {}): Desired<SandboxSpec> {
  const spec = { replica, app: 'test', hostname: replica, dns: { servers: [], search: [] }, sysctls: {}, ...change };
  return { ref: refOf('sandbox', replica), spec, dependsOn: [], origin };
}

/** A container that is wanted, by default one that sleeps and dies at SIGKILL only after no grace; `change` over that. */
export function wantContainer(replica: string, change: Partial<ContainerSpec> = {}): Desired<ContainerSpec> {
  const spec = {
    replica,
    app: 'test',
    image: TEST_IMAGE,
    command: ['sleep'],
    args: ['1000'],
    env: {},
    ulimits: {},
    volumes: [],
    resources: { cpu: 100, shares: 102, memory: 32 * 2 ** 20, swap: 0, pids: 64 },
    stop: { signal: 'SIGTERM', grace: 0 },
    ...change,
  };
  return {
    ref: refOf('container', replica),
    spec,
    dependsOn: [refOf('sandbox', replica), refOf('image', spec.image)],
    origin,
  };
}
