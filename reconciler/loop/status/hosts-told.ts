import type { Notice } from '../../model/notice.ts';

/** A time as people and programs read it, given milliseconds since 1970. */
export function timeOf(ms: number): string {
  return new Date(ms).toISOString();
}

/** What is said of hosts that are not heard of. */
export function lostMessages(notice: Notice | undefined): readonly string[] {
  const lost = notice?.lost ?? [];
  return lost.map(
    ({ host, since }) =>
      `host ${host} is not heard of since ${timeOf(since)}: what it ran may run on; look after its plumb agent`,
  );
}

/** What is said of hosts that are drained. */
export function drainMessages(notice: Notice | undefined): readonly string[] {
  return (notice?.draining ?? []).flatMap(({ host, staying, leaving }) => {
    if (staying.length + leaving.length === 0) return [`host ${host} is drained: nothing is left on it`];
    const parts = [`${String(leaving.length)} leaving`, `${String(staying.length)} staying`];
    const first = staying[0] ? ` (${staying[0].replica}: ${staying[0].why})` : '';
    return [`host ${host} is being drained: ${parts.join(', ')}${first}; plumb drain ${host} --watch shows all`];
  });
}
