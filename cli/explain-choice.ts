import type { AppSpec, Resource } from '../reconciler/model/catalog.ts';

/** The Zone and Network of an App that asks for them in place of naming them, and by what they were chosen. */
interface Chosen {
  readonly zone?: {
    readonly name: string;
    readonly traits: Readonly<Record<string, string>>;
    readonly level: number;
  };
  readonly network?: { readonly name: string; readonly isolation: string };
}

/** What was chosen for an App; nothing where it names both. */
export function chosenFor(app: Resource<AppSpec> | undefined): { readonly chosen?: Chosen } {
  if (!app?.asks) return {};
  const { zone, network, level } = app.spec;
  const { traits, isolation } = app.asks;
  return {
    chosen: {
      ...(traits === undefined ? {} : { zone: { name: zone, traits, level } }),
      ...(isolation === undefined ? {} : { network: { name: network, isolation } }),
    },
  };
}

/** The same for a person: no line where nothing was chosen. */
export function chosenLines(app: Resource<AppSpec> | undefined): readonly string[] {
  const { zone, network } = chosenFor(app).chosen ?? {};
  const traits = Object.entries(zone?.traits ?? {}).map(([key, value]) => `${key}=${value}`);
  return [
    ...(zone ? [`its Zone ${zone.name} is the one with ${[...traits, `level ${String(zone.level)}`].join(', ')}`] : []),
    ...(network ? [`its Network ${network.name} is the one with isolation ${network.isolation}`] : []),
  ];
}
