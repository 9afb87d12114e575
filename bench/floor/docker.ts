import { Agent, request } from 'node:http';

const agent = new Agent({ keepAlive: true, maxSockets: 32 });

/** One request to dockerd; the parsed reply. The floor's own, with nothing around it. */
export function docker(method: string, path: string, body?: object, socketPath = '/run/docker.sock'): Promise<unknown> {
  const payload = body ? JSON.stringify(body) : undefined;
  const headers = payload ? { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) } : {};
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, agent, method, path, headers }, (reply) => {
      let text = '';
      reply.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      reply.on('end', () => {
        if ((reply.statusCode ?? 500) >= 400) reject(new Error(`${method} ${path}: ${text}`));
        else resolve(text === '' ? undefined : JSON.parse(text));
      });
    });
    asked.on('error', reject);
    asked.end(payload);
  });
}

/** Docker's events as they come. */
export async function* dockerEvents(
  filters: object,
  socketPath = '/run/docker.sock',
): AsyncIterable<{ status: string; id: string; timeNano: number }> {
  const path = `/events?filters=${encodeURIComponent(JSON.stringify(filters))}`;
  const reply = await new Promise<AsyncIterable<Buffer>>((resolve, reject) => {
    request({ socketPath, path }, resolve).on('error', reject).end();
  });
  let rest = '';
  for await (const chunk of reply) {
    const lines = (rest + chunk.toString()).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) yield JSON.parse(line) as { status: string; id: string; timeNano: number };
  }
}
