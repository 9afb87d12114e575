import { getSystemErrorName } from 'node:util';
import { PlumbError } from '../../reconciler/model/errors.ts';
import type { NamespaceFiles } from '../../reconciler/model/namespace-files.ts';
import type { Visit, Visitor } from './visitor.ts';

/** Files of namespaces by visitors, which are tried in turn: the next only when one does not work at all. */
export function namespaceFiles(visitors: readonly Visitor[]): NamespaceFiles {
  async function ask(pid: number, visit: (visitor: Visitor) => Promise<Visit>): Promise<string> {
    let why = 'nothing can enter network namespaces on this processor';
    for (const visitor of visitors) {
      const visited = await visit(visitor);
      if ('line' in visited) return visited.line;
      if ('broken' in visited) {
        why = visited.broken;
        continue;
      }
      const errno = visited.errno === 0 ? '' : `: ${getSystemErrorName(-visited.errno)}`;
      if (visited.at !== 'write') throw new PlumbError('CONFLICT', `process ${String(pid)}: ${visited.at}${errno}`);
      throw new PlumbError('KNOB_REFUSED', `the kernel refuses${errno}`);
    }
    throw new PlumbError('CONFLICT', `process ${String(pid)}: ${why}`);
  }

  return {
    read: async (pid, files, signal) => {
      const line = await ask(pid, (visitor) => visitor.read(pid, files, signal));
      // each is `=` and its text, or nothing
      const texts = line.split('\0');
      return files.map((_, at) => (texts[at]?.startsWith('=') === true ? texts[at].slice(1) : undefined));
    },
    write: async (pid, file, text, signal) => {
      try {
        await ask(pid, (visitor) => visitor.write(pid, file, text, signal));
      } catch (error) {
        if (!(error instanceof PlumbError) || error.code !== 'KNOB_REFUSED') throw error;
        throw new PlumbError('KNOB_REFUSED', `${file} = ${text}: ${error.message}`, { file, value: text }, error);
      }
    },
  };
}
