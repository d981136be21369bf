import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pino } from 'pino';
import { afterAll, describe, expect, it } from 'vitest';
import { connectRedis } from '../../services/shared/process/redis-connection.ts';
import { isRedisUnavailable } from '../../services/shared/process/redis-errors.ts';
import { eventually } from '../../tools/lib/eventually.ts';
import { ROOT } from '../../tools/lib/root.mjs';
import type { Redis } from '../../tools/stack/redis.ts';
import { RedisAlone } from '../support/redis-alone.ts';

const config = () => readFileSync(join(ROOT, 'redis/redis.conf'), 'utf8');
const before = config();
afterAll(() => expect(config()).toBe(before)); // each Redis rewrites a copy of its own

const becomesReplica = (node?: Redis) =>
  eventually(async () => {
    const replication = await node?.ask('INFO replication');
    expect(replication).toContain('role:slave');
    expect(replication).toContain('master_link_status:up');
  }, 20_000);

describe('--redis sentinel', () => {
  /** The Redis that a majority of the Sentinels names. */
  async function primaryOf({ topology }: RedisAlone): Promise<Redis | undefined> {
    const [nodes, sentinels] = [topology.processes.slice(0, 3), topology.processes.slice(3)];
    const command = 'SENTINEL GET-MASTER-ADDR-BY-NAME shared-state';
    const replies = await Promise.all(sentinels.map((one) => one.ask(command)));
    return nodes.find(
      ({ port }) => replies.filter((reply) => reply.includes(`\r\n${port}\r\n`)).length >= 2,
    );
  }

  it('should replace a killed primary within 5 s, which comes back as a replica', async () => {
    await using alone = await RedisAlone.start('sentinel');
    const { processes } = alone.topology;
    expect(processes.map(({ name }) => name)).toEqual([
      ...['redis-1', 'redis-2', 'redis-3'],
      ...['sentinel-1', 'sentinel-2', 'sentinel-3'],
    ]);
    const hosts = processes.slice(3).map(({ port }) => `127.0.0.1:${port}`);
    const [, password] = /default:([\w-]{32})@/.exec(processes[0].url) ?? [];
    expect(alone.url).toBe(`redis+sentinel://default:${password}@${hosts}/shared-state`);
    const [first, ...others] = processes.slice(0, 3);
    expect(await primaryOf(alone)).toBe(first);
    expect(await alone.topology.primaryUrl()).toBe(first?.url);
    for (const replica of others) await becomesReplica(replica);
    await first?.ask('SET views 1');

    await first?.kill();
    const second = await eventually(async () => {
      const primary = await primaryOf(alone);
      expect(others).toContain(primary);
      expect(await primary?.ask('INCR views')).toBe(':2\r\n');
      return primary;
    }, 5000);
    expect(await alone.topology.primaryUrl()).toBe(second?.url);
    await first?.start();
    await becomesReplica(first);
    expect(await primaryOf(alone)).toBe(second);

    await alone.startAgain(); // with the roles that they had
    expect((await primaryOf(alone))?.name).toBe(second?.name);
    expect(await (await primaryOf(alone))?.ask('INCR views')).toBe(':3\r\n');
  });

  it('should be heard by a client that subscribes to each, until no Sentinel answers', async () => {
    await using alone = await RedisAlone.start('sentinel');
    const log = pino({ level: 'silent' });
    const options = { timeoutMs: 1000, log, name: 'Redis', scripts: {}, replicas: 0 };
    const client = connectRedis({ url: alone.url, ...options });
    await eventually(async () => expect(await client.ping()).toBe('PONG'));
    for (const sentinel of alone.topology.processes.slice(3)) {
      await eventually(async () => expect(await sentinel.ask('CLIENT LIST')).toMatch(/ sub=1 /));
    }
    client.destroy();
    await Promise.all(alone.topology.processes.slice(3).map((sentinel) => sentinel.kill()));
    await expect(alone.topology.primaryUrl()).rejects.toThrow(
      'No Sentinel answers; start one with `start sentinel-1`.',
    );
  });
});

describe('what must be current', () => {
  it('should not be read from a primary that the Sentinels have not just confirmed', async () => {
    await using alone = await RedisAlone.start('sentinel');
    const log = pino({ level: 'silent' });
    const options = { timeoutMs: 1000, log, name: 'Redis', scripts: {}, replicas: 0 };
    const client = connectRedis({ url: alone.url, ...options, currentReads: ['get'] });
    await eventually(async () => expect(await client.set('a', 'b')).toBe('OK'));
    expect(await client.get('a')).toBe('b');
    const [, ...others] = alone.topology.processes.slice(3);
    for (const sentinel of others) sentinel.pause();
    // A Sentinel replaces a primary after 1.3 s without it, at the earliest.
    await delay(1200);
    const err = await client.get('a').catch((reason) => reason);
    expect(isRedisUnavailable(err)).toBe(true);
    expect(await client.set('a', 'c')).toBe('OK');
    for (const sentinel of others) sentinel.resume();
    await eventually(async () => expect(await client.get('a')).toBe('c'));
    client.destroy();
  });
});

describe('--redis cluster', () => {
  it('should serve the keys of a killed primary within 6 s, and the others meanwhile', async () => {
    await using alone = await RedisAlone.start('cluster');
    const { processes } = alone.topology;
    const hosts = processes.slice(0, 3).map(({ port }) => `127.0.0.1:${port}`);
    const [, password] = /default:([\w-]{32})@/.exec(processes[0].url) ?? [];
    expect(alone.url).toBe(`redis+cluster://default:${password}@${hosts}`);
    expect(processes.map(({ name }) => name)).toEqual(
      [1, 2, 3, 4, 5, 6].map((number) => `redis-${number}`),
    );
    // The slots of b, c and a are 3300, 7365 and 15495.
    const [first, second, third, replica] = processes;
    for (const [node, key] of [
      [first, 'b'],
      [second, 'c'],
      [third, 'a'],
    ] as const) {
      expect(await node?.ask(`INCR ${key}`)).toBe(':1\r\n');
    }

    await first.kill();
    expect(await second?.ask('INCR c')).toBe(':2\r\n');
    expect(await third?.ask('INCR a')).toBe(':2\r\n');
    await eventually(async () => expect(await replica?.ask('INCR b')).toBe(':2\r\n'), 6000);
    expect(await second?.ask('INCR c')).toBe(':3\r\n');
    await first.start();
    await becomesReplica(first);

    await alone.startAgain(); // with the slots and the roles that they had
    expect(await alone.topology.processes[3]?.ask('INCR b')).toBe(':3\r\n');
    expect(await alone.topology.processes[1]?.ask('INCR c')).toBe(':4\r\n');
  });
});
