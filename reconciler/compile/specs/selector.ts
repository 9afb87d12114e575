import type { Selector as Manifest } from '../../../schemas/types.ts';
import type { Selector } from '../../model/catalog.ts';

/** A selector; one that was left out selects all. */
export function selectorOf(selector: Manifest | undefined): Selector {
  return { matchLabels: selector?.matchLabels ?? {} };
}
