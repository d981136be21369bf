import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { connectRedis } from '../../services/shared/process/redis-connection.ts';
import { isRedisUnavailable, NotReplicated } from '../../services/shared/process/redis-errors.ts';
import { sessionChanges, sessionScripts } from '../../services/shared/session/scripts.ts';
import { RedisSessionStore } from '../../services/shared/session/store.ts';
import { eventually } from '../../tools/lib/eventually.ts';
import { infoNumber, inRedis } from '../../tools/lib/redis-client.ts';
import { range } from '../support/proofs.ts';
import { RedisAlone } from '../support/redis-alone.ts';

const TARGET = { id: 'a', ttlSeconds: 100 };

let primary: RedisAlone;
let replica: RedisAlone;
const connect = (replicas: number) =>
  connectRedis({
    url: primary.url,
    timeoutMs: 1000,
    log: pino({ level: 'silent' }),
    name: 'Redis',
    scripts: sessionScripts,
    changes: sessionChanges,
    replicas,
  });
let redis: ReturnType<typeof connect>;

beforeAll(async () => {
  primary = await RedisAlone.start();
  replica = await RedisAlone.start();
  redis = connect(1);
  await eventually(() => redis.ping());
});
afterAll(async () => {
  redis?.destroy();
  await replica?.[Symbol.asyncDispose]();
  await primary?.[Symbol.asyncDispose]();
});

const count = (idempotencyKey: string) => redis.countView({ ...TARGET, idempotencyKey });
const waits = () =>
  inRedis(primary.url, async (admin) => {
    const stats = await admin.info('commandstats');
    return Number(/cmdstat_wait:calls=(\d+)/.exec(stats)?.[1] ?? 0);
  });

it('should not say that a session is missing while no replica follows: the primary may be a former one', async () => {
  const log = pino({ level: 'silent' });
  await expect(new RedisSessionStore(redis, 100, log).get('missing')).rejects.toThrow(
    NotReplicated,
  );
  const single = connect(0);
  await eventually(() => single.ping());
  expect(await new RedisSessionStore(single, 100, log).get('missing')).toBeNull();
  single.destroy();
});

it('should not call a change done that no replica has, and apply it once if it is repeated', async () => {
  const err = await redis.storeSession(TARGET, '{}', true).catch((reason) => reason);
  expect(err).toBeInstanceOf(NotReplicated);
  expect(isRedisUnavailable(err)).toBe(true);
  await expect(count('first')).rejects.toThrow(NotReplicated);
  await expect(count('first')).rejects.toThrow(NotReplicated);

  const { port, password } = new URL(primary.url);
  await inRedis(replica.url, async (admin) => {
    await admin.configSet('masterauth', password);
    await admin.sendCommand(['REPLICAOF', '127.0.0.1', port]);
  });
  await inRedis(primary.url, (admin) =>
    eventually(async () => expect(await infoNumber(admin, 'connected_slaves')).toBe(1)),
  );
  await eventually(async () => expect((await count('first'))?.reply).toBe(1), 10_000);
  expect((await count('second'))?.reply).toBe(2);
});

it('should send one WAIT for all changes of a tick', async () => {
  const before = await waits();
  const views = await Promise.all(range(1, 50).map((i) => count(`view-${i}`)));
  expect(views.map((view) => view?.reply)).toEqual(range(3, 52));
  expect((await waits()) - before).toBe(1);
});

it('should not call a change done that no replica has, if its script or its request is sent twice', async () => {
  const other = connect(1);
  await eventually(() => other.ping());
  await inRedis(primary.url, (admin) => admin.scriptFlush());
  replica.process.pause();
  try {
    await expect(count('unknown')).rejects.toThrow(NotReplicated);
    // Another instance finds that the change was applied, and writes nothing.
    await expect(other.countView({ ...TARGET, idempotencyKey: 'unknown' })).rejects.toThrow(
      NotReplicated,
    );
  } finally {
    replica.process.resume();
    other.destroy();
  }
  expect((await count('unknown'))?.reply).toBe(53);
});

// Since Redis 7.2, WAIT covers the writes of other connections only up to the last own write.
it('should write also if another connection has applied the same change', async () => {
  const writes = () =>
    inRedis(primary.url, (admin) => infoNumber(admin, 'rdb_changes_since_last_save'));
  const session = { ...TARGET, id: 'other' };
  await redis.storeSession(session, '{}', true);
  for (const change of [
    () => redis.countView({ ...session, idempotencyKey: 'a' }),
    () => redis.replaceSession({ ...session, idempotencyKey: 'b' }, 'other-too', '{}'),
    () => redis.deleteSession('other-too'),
  ]) {
    const first = await change();
    const before = await writes();
    expect(await change()).toEqual(first);
    expect(await writes()).toBeGreaterThan(before);
  }
});

it('should send no WAIT unless it is asked to', async () => {
  const before = await waits();
  const other = connect(0);
  await eventually(() => other.ping());
  expect((await other.countView({ ...TARGET, idempotencyKey: 'other' }))?.reply).toBe(54);
  other.destroy();
  expect(await waits()).toBe(before);
});

it('should not call a change done if the primary becomes a replica meanwhile', async () => {
  await inRedis(replica.url, (admin) => admin.sendCommand(['REPLICAOF', 'NO', 'ONE']));
  await inRedis(primary.url, (admin) =>
    eventually(async () => {
      await admin.sendCommand(['REPLICAOF', 'NO', 'ONE']); // after an attempt that came too late
      const change = count('late').catch((reason) => reason);
      const isWaiting = async () => expect(await infoNumber(admin, 'blocked_clients')).toBe(1);
      await eventually(isWaiting, 100);
      await admin.sendCommand(['REPLICAOF', '127.0.0.1', new URL(replica.url).port]);
      const err = await change;
      expect(err.message).toMatch(/^UNBLOCKED/);
      expect(isRedisUnavailable(err)).toBe(true);
    }),
  );
});
