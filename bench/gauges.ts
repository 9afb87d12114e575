import { readFileSync } from 'node:fs';
import type { Server } from '../test/support/redis.ts';

/** What a process has used until now. */
export interface Used {
  /** Seconds of CPU. */
  readonly cpu: number;
  /** Bytes in memory now. */
  readonly rss: number;
}

/** CPU of Linux is counted in hundredths of a second. */
const TICKS = 100;

/** What a process has used, by its files in /proc. Throws when it has ended. */
export function usedBy(pid: number): Used {
  const stat = readFileSync(`/proc/${String(pid)}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const rss = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${String(pid)}/status`, 'utf8'))?.[1];
  return { cpu: (Number(fields[11]) + Number(fields[12])) / TICKS, rss: Number(rss) * 1024 };
}

/** What a server has used and done until now; commands count those of scripts. */
export interface RedisUsed extends Used {
  readonly commands: number;
  readonly connections: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Leases asked for, and whatever else runs a script. */
  readonly scripts: number;
}

/** The same of a redis-server, as it says itself. */
export async function usedByRedis({ admin }: Server): Promise<RedisUsed> {
  const info = (await Promise.all(['cpu', 'memory', 'stats', 'commandstats'].map((part) => admin.info(part)))).join('');
  const number = (key: string): number => Number(new RegExp(`^${key}:(.*)`, 'm').exec(info)?.[1]);
  return {
    cpu: number('used_cpu_sys') + number('used_cpu_user'),
    rss: number('used_memory_rss'),
    commands: number('total_commands_processed'),
    connections: number('total_connections_received'),
    bytesIn: number('total_net_input_bytes'),
    bytesOut: number('total_net_output_bytes'),
    scripts: Number(/^cmdstat_evalsha:calls=(\d+)/m.exec(info)?.[1] ?? 0),
  };
}
