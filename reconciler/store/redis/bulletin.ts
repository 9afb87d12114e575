import type { Notice } from '../../model/notice.ts';
import { readNotice } from '../../model/protocol.ts';
import type { Bulletin } from '../../model/store.ts';
import type { Context } from './context.ts';
import { underOf, writtenBy } from './under.ts';

/** What the controller says, on Redis. */
export function createBulletin(context: Context): Bulletin {
  const { calls, keys, scripts, incarnation, shown } = context;
  return {
    post: async (notice, under) => {
      const lease = underOf(context, under);
      const touched = [keys.incarnation, keys.notice, ...lease.keys];
      const args = [incarnation, JSON.stringify(notice), ...lease.args];
      const [reply] = await calls.write({ script: scripts.post, keys: touched, args });
      writtenBy(reply, under, shown);
    },
    read: async () => {
      const [body] = await calls.ask(['get', keys.notice]);
      return typeof body === 'string' ? readNotice(JSON.parse(body) as Notice) : undefined;
    },
  };
}
