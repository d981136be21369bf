// Waits once, then loads without a lock. Expected: All requests that waited loaded at once
import { setTimeout as delay } from 'node:timers/promises';
import express from 'express';
import { createClient } from 'redis';

const TTL_SECONDS = 60;
const LOCK_MS = 1000;
const { REDIS_URL = '', INSTANCE = '', PORT, HOST = '' } = process.env;

const redis = createClient({ url: REDIS_URL });
redis.on('error', (err) => console.error(err.message));
await redis.connect();

/** The slow origin. It notes each call. Do not change this function. */
async function loadReport(): Promise<string> {
  await redis.rPush('origin:calls', INSTANCE);
  await delay(300);
  return 'The report';
}

const app = express();

app.get('/report', async (_req, res) => {
  let report = await redis.get('report');
  if (report === null) {
    const hasLock = await redis.set('report:lock', INSTANCE, { NX: true, PX: LOCK_MS });
    if (!hasLock) {
      await delay(LOCK_MS);
      report = await redis.get('report');
    }
    report ??= await loadReport();
    await redis.set('report', report, { EX: TTL_SECONDS });
  }
  res.send(report);
});

app.listen(Number(PORT), HOST);
