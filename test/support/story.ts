import type { Mishap } from './mortal.ts';
import type { AppWish } from './wishes.ts';

/** What happens in a story, and for how long nothing else does after it, in milliseconds. */
export type Step = { readonly wait: number } & (
  | { readonly what: 'commit'; readonly app: 'a' | 'b'; readonly wish?: AppWish | undefined }
  | { readonly what: 'knob'; readonly value?: string | undefined }
  | { readonly what: 'drift'; readonly of: Drift; readonly replica: string }
  | { readonly what: 'blind'; readonly kind: string; readonly ms: number }
  | { readonly what: 'mishaps'; readonly kind: string; readonly how: readonly Mishap[] }
  | { readonly what: 'full'; readonly part: 'journal' | 'store'; readonly ms: number }
  | { readonly what: 'git away'; readonly ms: number }
  | { readonly what: 'crash'; readonly at: number }
  | { readonly what: 'restart' }
);

/** What a person does to the simulated host by hand. */
export type Drift = 'no container' | 'no sandbox' | 'no port' | 'exited' | 'vlan' | 'memory' | 'knob';

export interface Story {
  readonly seed: number;
  readonly steps: readonly Step[];
}
