import type { ContainerState } from '../reconciler/model/resources.ts';

/** How a container is stopped, from its label (`SIGTERM 10000`) in the form of a spec. */
function stopOf(label: string): { readonly signal: string; readonly grace: number } {
  const [signal = '', grace = ''] = label.split(' ');
  return { signal, grace: Number(grace) };
}

function madeOf(text: string | undefined): Readonly<Record<string, unknown>> {
  if (text === undefined) return {};
  try {
    return JSON.parse(text) as Readonly<Record<string, unknown>>;
  } catch {
    return {};
  }
}

/**
 * What an observed state says of a field of its spec, in the form that the spec has; undefined where it says nothing. What only
 * a new container can change is kept with the container as it was made.
 */
export function liveValue(state: object, field: string): unknown {
  const { made, stop } = state as Partial<ContainerState>;
  if (field === 'stop' && typeof stop === 'string') return stopOf(stop);
  const fixed = madeOf(made);
  return field in fixed ? fixed[field] : (state as Readonly<Record<string, unknown>>)[field];
}
