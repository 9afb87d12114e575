import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { namespaceFiles } from '../../../providers/probes/files.ts';
import { nodeVisitor, perlVisitor } from '../../../providers/probes/visitor.ts';

const signal = AbortSignal.timeout(60_000);
const FILE = '/proc/self/comm';

for (const [name, visitor] of [
  ['perl', perlVisitor()],
  ['nsenter', nodeVisitor()],
] as const)
  describe(
    `files of a network namespace, by ${name}`,
    { skip: visitor === undefined && 'not on this processor' },
    () => {
      // neither its process nor a deadline keeps this one alive
      const alive = setInterval(() => undefined, 1000);
      after(() => {
        clearInterval(alive);
        visitor?.close();
      });

      it('are none where the number of a process is that of another by now, which is in our own', async () => {
        assert.ok(visitor);
        const files = namespaceFiles([visitor]);
        await assert.rejects(files.read(process.pid, [FILE], signal), /namespace: ESRCH/);
        await assert.rejects(files.write(process.pid, FILE, 'x', signal), {
          code: 'CONFLICT',
          message: /namespace: ESRCH/,
        });
      });

      it('are none where there is no such process', async () => {
        assert.ok(visitor);
        await assert.rejects(namespaceFiles([visitor]).read(2 ** 22 + 1, [FILE], signal), {
          code: 'CONFLICT',
          message: /namespace/,
        });
      });
    },
  );
