import type { Demand } from '../../model/demand.ts';
import type { Placement } from '../../model/replica.ts';
import type { Delta } from '../../model/reservations.ts';

/** Makes one object of the equal parts of many placements, which somebody keeps for long. */
export function createSharing(): {
  readonly placement: (placement: Placement) => Placement;
  readonly delta: (delta: Delta) => Delta;
} {
  const texts = new Map<string, string>();
  const demands = new Map<string, Demand>();
  const text = (value: string): string => {
    const known = texts.get(value);
    if (known !== undefined) return known;
    texts.set(value, value);
    return value;
  };
  const demand = (value: Demand): Demand => {
    const key = JSON.stringify(value);
    const known = demands.get(key) ?? value;
    demands.set(key, known);
    return known;
  };
  const placement = (value: Placement): Placement => ({
    ...value,
    app: text(value.app),
    zone: text(value.zone),
    host: text(value.host),
    network: text(value.network),
    demand: demand(value.demand),
  });
  return {
    placement,
    delta: (delta) =>
      delta.type === 'placement' && delta.placement ? { ...delta, placement: placement(delta.placement) } : delta,
  };
}
