/** A part of the fabric over which replicas are spread, and in which Apps are kept together or apart. */
export type SpreadLevel = 'switch' | 'rack' | 'host';

/** From the largest to the smallest. */
export const SPREAD_LEVELS: readonly SpreadLevel[] = ['switch', 'rack', 'host'];
