import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import type { Spec } from '../../providers/containers/diff.ts';
import type { State } from '../../providers/containers/state.ts';
import type { Change, Desired, Observed } from '../../reconciler/model/change.ts';
import { PlumbError } from '../../reconciler/model/errors.ts';
import type { Context, Provider } from '../../reconciler/model/provider.ts';
import type { Ref } from '../../reconciler/model/ref.ts';
import { kindOf } from '../../reconciler/model/ref.ts';
import type { ContainerState, SandboxState } from '../../reconciler/model/resources.ts';
import { docker } from './docker.ts';

/** The fleet of the tests. */
export const FLEET = 'test';

/** The provider with a world that follows what it sees and does. */
export class Host {
  readonly seen: Map<Ref, Observed> = new Map();
  readonly provider: Provider<Spec, State>;
  constructor(provider: Provider<Spec, State>) {
    this.provider = provider;
  }
  ctx(deadline = 60_000): Context {
    const world = { get: (ref: Ref) => this.seen.get(ref) };
    return { signal: AbortSignal.timeout(deadline), fleet: FLEET, world };
  }
  async plan(desired: readonly Desired<Spec>[]): Promise<readonly Change<Spec>[]> {
    const ctx = { ...this.ctx(), wanted: desired.map((item) => item.ref) };
    const observed = await this.provider.observe(ctx);
    this.seen.clear();
    for (const item of observed) this.seen.set(item.ref, item);
    const order = ['image', 'sandbox', 'container'];
    const rank = (change: Change<Spec>): number =>
      order.indexOf(kindOf(change.ref)) * (change.verb === 'delete' ? -1 : 1);
    return this.provider.diff(desired, observed).toSorted((a, b) => rank(a) - rank(b));
  }
  async apply(change: Change<Spec>): Promise<Observed | undefined> {
    const { observed } = await this.provider.apply(change, this.ctx());
    if (observed) this.seen.set(observed.ref, observed);
    else this.seen.delete(change.ref);
    return observed;
  }
  async converge(desired: readonly Desired<Spec>[]): Promise<readonly Change<Spec>[]> {
    const changes = await this.plan(desired);
    for (const change of changes) await this.apply(change);
    assert.deepEqual(await this.plan(desired), [], 'nothing is left to do');
    return changes;
  }
  sandbox(replica: string): SandboxState {
    return this.state(`sandbox/${replica}`) as SandboxState;
  }
  container(replica: string): ContainerState {
    return this.state(`container/${replica}`) as ContainerState;
  }
  private state(ref: Ref): unknown {
    const item = this.seen.get(ref);
    assert.ok(item?.known, `${ref} is known`);
    return item.state;
  }
}

/** `replace container/web-0 drift recreate` */
export function words(changes: readonly Change[]): readonly string[] {
  return changes.map(({ verb, ref, because, disruption }) => `${verb} ${ref} ${because} ${disruption}`);
}

/** Whether an error has this code. */
export function code(expected: string): (error: unknown) => boolean {
  return (error) => error instanceof PlumbError && error.code === expected;
}

/** A limit of a running container as the kernel has it. */
export function knob(pid: number, controller: string, v1: string, v2: string): string {
  for (const line of readFileSync(`/proc/${String(pid)}/cgroup`, 'utf8')
    .trim()
    .split('\n')) {
    const [, names = '', path = ''] = line.split(/:(.*?):(.*)/);
    const old = `/sys/fs/cgroup/${controller}${path}/${v1}`;
    if (names === controller && existsSync(old)) return readFileSync(old, 'utf8').trim();
    const unified = `/sys/fs/cgroup${path}/${v2}`;
    if (names === '' && existsSync(unified)) return readFileSync(unified, 'utf8').trim();
  }
  throw new Error(`no ${v1} nor ${v2} for ${String(pid)}`);
}

/** Process of a container by name. */
export function pidOf(name: string): Promise<number> {
  return docker('inspect', '-f', '{{.State.Pid}}', name).then(Number);
}
