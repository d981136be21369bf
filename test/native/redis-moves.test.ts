import { spawnSync } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { eventually } from '../../tools/lib/eventually.ts';
import { runInstance } from '../../tools/lib/running.ts';
import { freePort } from '../../tools/stack/port.ts';
import { RedisAlone } from '../support/redis-alone.ts';
import { Shopper } from '../support/shop.ts';

// How a site moves from one kind of Redis to the next, as docs/redis.md says.

/** Starts an instance with this Redis, and views it as a visitor with these cookies. */
async function view(REDIS_URL: string, cookies: Map<string, string>): Promise<number> {
  const PORT = String(await freePort());
  await using _ = runInstance({ REDIS_URL, PORT, HOST: '127.0.0.1' });
  const visitor = new Shopper(`http://127.0.0.1:${PORT}`, cookies);
  const { views } = await eventually(() => visitor.view(), 20_000);
  return views;
}

it('should keep the sessions of one Redis that gets replicas and Sentinels, and back', async () => {
  await using alone = await RedisAlone.start('sentinel');
  const one = await alone.topology.primaryUrl();
  const cookies = new Map<string, string>();
  expect(await view(one, cookies)).toBe(1);
  expect(await view(alone.url, cookies)).toBe(2);
  expect(await view(one, cookies)).toBe(3);
});

it('should keep the sessions of one Redis that becomes a Cluster', async () => {
  await using alone = await RedisAlone.start();
  const cookies = new Map<string, string>();
  expect(await view(alone.url, cookies)).toBe(1);

  await alone.process.stop();
  appendFileSync(join(alone.folder, 'redis.conf'), '\ncluster-enabled yes\n');
  await alone.process.start();
  const { hostname, port, password } = new URL(alone.url);
  const args = ['--no-auth-warning', '-a', password, '--cluster', 'fix', `${hostname}:${port}`];
  const { status } = spawnSync('redis-cli', args, { input: 'yes\n' });
  expect(status).toBe(0);
  const url = alone.url.replace('redis://', 'redis+cluster://');
  expect(await view(url, cookies)).toBe(2);
}, 120_000); // redis-cli assigns 16,384 slots one by one
