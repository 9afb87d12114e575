import type { Notice } from '../../model/notice.ts';
import { readNotice } from '../../model/protocol.ts';
import type { Bulletin } from '../../model/store.ts';
import type { Context } from './context.ts';

/** What the controller says, on Redis. */
export function createBulletin({ calls, keys }: Context): Bulletin {
  return {
    post: async (notice) => {
      await calls.write(['set', keys.notice, JSON.stringify(notice)]);
    },
    read: async () => {
      const [body] = await calls.ask(['get', keys.notice]);
      return typeof body === 'string' ? readNotice(JSON.parse(body) as Notice) : undefined;
    },
  };
}
