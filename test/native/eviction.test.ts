import { expect, it } from 'vitest';
import { infoNumber, inRedis } from '../../tools/lib/redis-client.ts';
import { range } from '../support/proofs.ts';
import { RedisAlone } from '../support/redis-alone.ts';

it('should evict cache entries and no session when the memory of redis.conf is full', async () => {
  await using alone = await RedisAlone.start();
  await inRedis(alone.url, async (redis) => {
    const fill = (prefix: string, count: number, seconds: number) =>
      Promise.all(
        range(1, count).map((i) => redis.set(`${prefix}${i}`, 'x'.repeat(1000), { EX: seconds })),
      );
    await fill('sess:', 200, 86_400);
    await redis.configSet('maxmemory', String((await infoNumber(redis, 'used_memory')) + 2 ** 21));
    for (const batch of range(1, 10)) await fill(`cache:${batch}:`, 1000, 60);
    expect(await infoNumber(redis, 'evicted_keys')).toBeGreaterThan(1000);
    expect(await redis.keys('sess:*')).toHaveLength(200);
  });
});
