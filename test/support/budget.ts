import type { Disruption } from '../../reconciler/model/disruption.ts';

/** No Zone has a budget. */
export const UNLIMITED: Disruption = {
  left: () => Infinity,
  spend: () => undefined,
  why: () => undefined,
  copy: () => UNLIMITED,
};
