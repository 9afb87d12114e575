import { ethtool, type Ethtool, type Group, type Settings } from '../ethtool.ts';

/** What ethtool knows of a network card; a group that its driver has nothing of is empty. */
export interface CardFacts {
  readonly name: string;
  /** By name: what it is, and the most that it takes. */
  readonly rings: Amounts;
  readonly channels: Amounts;
  readonly coalescing: Readonly<Record<string, string>>;
  /** Offloads that may be changed, and whether they are on. */
  readonly offloads: Readonly<Record<string, boolean>>;
}

type Amounts = Readonly<Record<string, { readonly value: number; readonly max: number }>>;

function amounts(settings: Settings): Amounts {
  return Object.fromEntries([...settings].map(([name, { value, max = 0 }]) => [name, { value: Number(value), max }]));
}

/** What cards of these names let be set, by four programs for each; none where ethtool is not there. Throws TIMEOUT. */
export async function cardFacts(
  names: readonly string[],
  signal: AbortSignal,
  program: Ethtool = ethtool(),
): Promise<readonly CardFacts[]> {
  const facts: CardFacts[] = [];
  for (const name of names) {
    const read = async (group: Group): Promise<Settings> => {
      const said = await program.read(name, group, signal);
      return typeof said === 'string' ? new Map() : said;
    };
    const [offloads, coalescing] = [await read('offloads'), await read('coalescing')];
    const [rings, channels] = [amounts(await read('rings')), amounts(await read('channels'))];
    if (offloads.size === 0) continue;
    facts.push({
      name,
      rings,
      channels,
      coalescing: Object.fromEntries([...coalescing].map(([key, { value }]) => [key, value])),
      offloads: Object.fromEntries(
        [...offloads].flatMap(([key, { value, fixed }]) => (fixed ? [] : [[key, value === 'on'] as const])),
      ),
    });
  }
  return facts;
}
