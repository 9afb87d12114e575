import type { ProbeSpec } from '../../reconciler/model/catalog.ts';
import { PlumbError } from '../../reconciler/model/errors.ts';
import type { ProbedContainer, Prober, ProbeResult } from '../../reconciler/model/probe.ts';
import { failed, httpRequest, judgeHttp } from './answer.ts';
import type { Visitor } from './visitor.ts';
import { nodeVisitor, perlVisitor } from './visitor.ts';

/** Runs a command in a container until it ends or the signal aborts. */
export type Exec = (
  containerId: string,
  command: readonly string[],
  signal: AbortSignal,
) => Promise<{ readonly exitCode: number; readonly output: string }>;

/** `visitors` are tried in turn: the next only when one does not work at all. */
export interface ProberOptions {
  readonly exec: Exec;
  readonly visitors?: readonly Visitor[];
}

/** What enters network namespaces on this machine, the cheapest first. */
export function systemVisitors(): readonly Visitor[] {
  return [perlVisitor(), nodeVisitor()].filter((visitor) => visitor !== undefined);
}

/** Probes by http and tcp from within the sandbox's network namespace, and by exec in the container. */
export function createProber(options: ProberOptions): Prober {
  const { exec, visitors = systemVisitors() } = options;

  const visit = async (target: ProbedContainer, port: number, request: Buffer, signal: AbortSignal) => {
    let why = 'nothing can enter network namespaces on this processor';
    for (const visitor of visitors) {
      const visited = await visitor.visit(target.pid, target.address, port, request, signal);
      if (!('broken' in visited)) return visited;
      why = visited.broken;
    }
    return { errno: 0, at: why };
  };

  const check = async (
    target: ProbedContainer,
    check: ProbeSpec['check'],
    signal: AbortSignal,
  ): Promise<ProbeResult> => {
    if (check.type === 'exec') {
      const { exitCode, output } = await exec(target.containerId, check.command, signal);
      const words = output.trim().split('\n').at(-1)?.slice(0, 200) ?? '';
      return { ok: exitCode === 0, message: `exit ${String(exitCode)}${words === '' ? '' : `: ${words}`}` };
    }
    const request = check.type === 'http' ? httpRequest(target.address, check.port, check.path) : Buffer.alloc(0);
    const visited = await visit(target, check.port, request, signal);
    if (!('line' in visited)) return failed(visited.errno, visited.at);
    return check.type === 'http' ? judgeHttp(visited.line) : { ok: true, message: 'connected' };
  };

  return {
    probe: async (target, what, timeoutMs, signal) => {
      const deadline = new AbortController();
      const stop = (): void => {
        deadline.abort();
      };
      const timer = setTimeout(stop, timeoutMs);
      signal.addEventListener('abort', stop, { once: true });
      try {
        if (signal.aborted) stop();
        const result = await check(target, what, deadline.signal);
        if (signal.aborted) throw new PlumbError('CANCELLED', 'the probe was given up');
        return result;
      } catch (error) {
        if (signal.aborted) throw new PlumbError('CANCELLED', 'the probe was given up', {}, error);
        if (deadline.signal.aborted) return { ok: false, message: `no answer within ${String(timeoutMs)} ms` };
        return { ok: false, message: error instanceof Error ? error.message : String(error) };
      } finally {
        clearTimeout(timer);
        signal.removeEventListener('abort', stop);
      }
    },
    close: () => {
      for (const visitor of visitors) visitor.close();
    },
  };
}
