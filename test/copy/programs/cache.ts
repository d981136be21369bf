import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import express from 'express';
import { pino } from 'pino';
import { createClient } from 'redis';
import { Cache } from '../../../services/app/cache/cache.ts';
import { type ConnectCache, LocalCache } from '../../../services/app/cache/local-cache.ts';

const log = pino();
const connect: ConnectCache = ({ name, ...options }) => {
  const url = process.env.REDIS_URL ?? '';
  const client = createClient({ url, disableOfflineQueue: true, ...options });
  client.on('error', (err) => log.error(err, name));
  client.connect().catch(() => {}); // reported as an error event
  return client;
};

/** The slow source, for example a database. */
async function origin(name: string, signal: AbortSignal): Promise<string> {
  await delay(100, undefined, { signal });
  return `This is ${name}`;
}

const cache = new Cache({
  local: new LocalCache(connect, true),
  origin,
  guard: 'cluster',
  isEnabled: true,
  ttlMs: 60_000,
  staleMs: 30_000,
  originTimeoutMs: 10_000,
  instance: { name: hostname() },
  log,
});

const app = express();
app.get('/items/:id', async (req, res) => {
  const { entry, result } = await cache.get(`item:${req.params.id}`, AbortSignal.timeout(1000));
  res.set('X-Cache', result).send(entry.data);
});
app.delete('/items/:id', async (req, res) => {
  await cache.invalidate(`item:${req.params.id}`);
  res.sendStatus(204);
});
app.listen(Number(process.env.PORT));
