import { connect } from 'node:net';

/** A connection to ovsdb-server as small as it can be: calls, and a listener for updates. */
export interface Ovsdb {
  call(method: string, params: unknown): Promise<unknown>;
  transact(
    ...operations: object[]
  ): Promise<{ readonly rows?: readonly Record<string, unknown>[]; readonly error?: string }[]>;
  close(): void;
}

/** Opens it; `update` hears the monitor's notifications. */
export async function ovsdb(
  update: (params: unknown) => void = () => undefined,
  path = '/run/openvswitch/db.sock',
): Promise<Ovsdb> {
  const socket = connect(path);
  await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
  const waiting = new Map<number, (value: unknown) => void>();
  let id = 0;
  let text = '';
  let depth = 0;
  let quoted = false;
  let escaped = false;
  let at = 0;
  const hear = (message: { id?: number | null; method?: string; params?: unknown; result?: unknown }): void => {
    if (message.method === 'echo')
      socket.write(JSON.stringify({ id: message.id, result: message.params, error: null }));
    else if (message.method === 'update') update(message.params);
    else if (typeof message.id === 'number') {
      waiting.get(message.id)?.(message.result);
      waiting.delete(message.id);
    }
  };
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
    for (; at < text.length; at += 1) {
      const c = text[at];
      if (quoted) {
        if (escaped) escaped = false;
        else if (c === '\\') escaped = true;
        else if (c === '"') quoted = false;
      } else if (c === '"') quoted = true;
      else if (c === '{') depth += 1;
      else if (c === '}' && --depth === 0) {
        hear(JSON.parse(text.slice(0, at + 1)) as object);
        text = text.slice(at + 1);
        at = -1;
      }
    }
  });
  const call = (method: string, params: unknown): Promise<unknown> =>
    new Promise((resolve) => {
      id += 1;
      waiting.set(id, resolve);
      socket.write(JSON.stringify({ id, method, params }));
    });
  return {
    call,
    transact: async (...operations) =>
      (await call('transact', ['Open_vSwitch', ...operations])) as { rows?: Record<string, unknown>[] }[],
    close: () => socket.destroy(),
  };
}
