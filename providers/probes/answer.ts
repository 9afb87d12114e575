import { getSystemErrorName } from 'node:util';
import type { ProbeResult } from '../../reconciler/model/probe.ts';

/** The bytes of the one request of an HTTP probe; what a request line cannot hold is percent-encoded. */
export function httpRequest(address: string, port: number, path: string): Buffer {
  const target = path.replace(/[^\x21-\x7e]/gu, percent);
  const lines = [
    `GET ${target} HTTP/1.1`,
    `Host: ${address}:${String(port)}`,
    'User-Agent: plumbline-probe/1',
    'Accept: */*',
    'Connection: close',
  ];
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
}

function percent(character: string): string {
  return [...Buffer.from(character)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('');
}

/** 200–399 passes; redirects are not followed. */
export function judgeHttp(firstLine: string): ProbeResult {
  const status = /^HTTP\/\d(?:\.\d)? (\d{3})\b/.exec(firstLine)?.[1];
  if (status === undefined) {
    const shown = firstLine.slice(0, 60).replace(/[^\x20-\x7e]/g, '?');
    return { ok: false, message: firstLine === '' ? 'closed without an answer' : `not HTTP: ${shown}` };
  }
  return { ok: Number(status) >= 200 && Number(status) < 400, message: `HTTP ${status}` };
}

/** What failed in words: `connect: ECONNREFUSED`, or just `what` without an errno. */
export function failed(errno: number, what: string): ProbeResult {
  return { ok: false, message: errno > 0 ? `${what}: ${getSystemErrorName(-errno)}` : what };
}
