import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { StackContext } from './managed-process.ts';
import { newPassword, Redis } from './redis.ts';

/** The Redis processes of a stack. */
export interface RedisTopology {
  /** The REDIS_URL of the services. */
  readonly url: string;
  /** The first one is a Redis that holds data. */
  readonly processes: [Redis, ...Redis[]];
  /**
   * Resolves when all processes serve, and when failover works.
   *
   * @throws {StackError}
   */
  start(): Promise<void>;
  /**
   * The URL of a Redis that accepts changes, for redis-cli.
   *
   * @throws {StackError} if no process answers
   */
  primaryUrl(): Promise<string>;
}

/** One Redis. */
export function singleRedis(
  file: string,
  [port = 0]: number[],
  context: StackContext,
): RedisTopology {
  const redis = new Redis(file, port, context);
  return {
    get url() {
      return redis.url; // the port may change
    },
    processes: [redis],
    start: () => redis.start(),
    primaryUrl: async () => redis.url,
  };
}

/** The processes of a topology know each other by these. */
interface Group {
  password: string;
  ports: number[];
  /** Whether there is no data of an earlier stack. */
  isNew: boolean;
}

/**
 * The password and the ports of a topology. They are kept with its data, so that its processes find
 * each other again.
 *
 * @param data the folder for the data, in the folder of the stack
 * @param ports free ports, for a new group
 */
export function groupIn(data: string, ports: number[], { folder }: StackContext): Group {
  const file = join(folder, data, 'group.json');
  const isNew = !existsSync(file);
  if (isNew) {
    mkdirSync(join(folder, data), { recursive: true, mode: 0o700 });
    writeFileSync(file, JSON.stringify({ password: newPassword(), ports }), { mode: 0o600 });
  }
  return { ...JSON.parse(readFileSync(file, 'utf8')), isNew };
}

/** What each Redis needs to be a replica or to have some. */
export function replicationSettings(password: string): string[] {
  return [
    `masterauth ${password}`,
    'repl-backlog-size 64mb', // some 280,000 views, which a replica may miss without a full copy
    'shutdown-on-sigterm force', // by default SIGTERM is ignored just after a full copy
    'repl-diskless-sync-delay 0', // the default waits 5 s for a second replica
  ];
}

/** A URL with several addresses. */
export function urlOfGroup(kind: string, password: string, processes: Redis[]): string {
  const hosts = processes.map(({ port }) => `127.0.0.1:${port}`);
  return `redis+${kind}://default:${password}@${hosts}`;
}
