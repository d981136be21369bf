import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { closeRedis, createRedis } from '../../services/shared/process/redis.ts';
import { type SessionRedis, sessionScripts } from '../../services/shared/session/scripts.ts';
import { sessionSecrets } from '../../services/shared/session/secret.ts';
import { eventually } from '../../tools/lib/eventually.ts';
import { runInstance } from '../../tools/lib/running.ts';
import { send } from '../../tools/lib/visitor.ts';
import { freePort } from '../../tools/stack/port.ts';
import { RedisAlone } from '../support/redis-alone.ts';

describe('the agreed secret', () => {
  let alone: RedisAlone;
  let redis: SessionRedis;
  const lines: string[] = [];
  const log = pino({ level: 'warn' }, { write: (line) => lines.push(line) });
  beforeAll(async () => {
    alone = await RedisAlone.start();
    const quiet = pino({ level: 'silent' });
    const scripts = sessionScripts;
    redis = createRedis({ url: alone.url, timeoutMs: 1000, log: quiet, name: 'Redis', scripts });
    await eventually(() => redis.ping());
  });
  afterAll(async () => {
    await closeRedis(redis, 1000);
    await alone[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    await redis.flushAll();
    lines.length = 0;
  });
  const newInstance = () => sessionSecrets(undefined, redis, log);

  it('should be one for all instances that start at once', async () => {
    const secrets = await Promise.all(
      [newInstance(), newInstance(), newInstance()].map((s) => s()),
    );
    expect(secrets[0]).toEqual([expect.stringMatching(/^[\w-]{43}$/)]);
    expect(new Set(secrets.flat()).size).toBe(1);
    expect(await redis.ttl('secret:session')).toBe(-1);
  });

  it('should stay the same for an instance that starts beside an emptied Redis', async () => {
    const older = newInstance();
    const before = await older();
    await redis.flushAll();
    expect(await newInstance()()).toEqual(before);
    expect(await older()).toEqual(before);
  });

  it.each([
    ['a list', ['RPUSH', 'x']],
    ['empty', ['SET', '']],
    ['too short', ['SET', 'secret']],
    ['too long', ['SET', 'x'.repeat(1_000_000)]],
  ])(
    'should be replaced, with one line in the log, if it is %s',
    async (_what, [command, value]) => {
      const older = newInstance();
      const before = await older();
      const corrupt = async () => {
        await redis.del('secret:session');
        await redis.sendCommand([command as string, 'secret:session', value as string]);
      };
      await corrupt();
      await eventually(async () => expect(await redis.get('secret:session')).toBe(before[0]));
      expect(await newInstance()()).toEqual(before);
      expect(lines).toHaveLength(1);
      expect(lines[0]).not.toContain(before[0]);
    },
  );

  it('should be replaced before the first request of a new instance if it is a list', async () => {
    await redis.rPush('secret:session', 'x');
    expect(await newInstance()()).toEqual([expect.stringMatching(/^[\w-]{43}$/)]);
    expect(lines).toHaveLength(1);
  });

  it('should be agreed before an instance is ready', async () => {
    const acl = (...rules: string[]) => redis.sendCommand(['ACL', 'SETUSER', 'app', ...rules]);
    await acl('on', '>app', '~*', '&*', '+@all', '-set');
    const port = await freePort('127.0.0.1');
    // a database of its own, without the instances above
    const user = { username: 'app', password: 'app', pathname: '/1' };
    const REDIS_URL = Object.assign(new URL(alone.url), user).href;
    await using _ = runInstance({ INSTANCE: 'app-1', REDIS_URL, PORT: String(port) });
    const statusOf = async (path: string) => (await send(`http://127.0.0.1:${port}${path}`)).status;
    await eventually(async () => expect(await statusOf('/livez')).toBe(200), 15_000);
    expect(await statusOf('/readyz')).toBe(503);
    await acl('+set');
    await eventually(async () => expect(await statusOf('/readyz')).toBe(200));
    expect(await statusOf('/')).toBe(200);
  });
});
