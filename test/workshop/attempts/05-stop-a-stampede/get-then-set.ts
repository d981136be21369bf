// Looks for the lock, then sets it. Expected: Looking and setting must be one step
import { setTimeout as delay } from 'node:timers/promises';
import express from 'express';
import { createClient } from 'redis';

const TTL_SECONDS = 60;
const LOCK_MS = 1000; // longer than a load, shorter than TTL_SECONDS
const WAIT_MS = 5000;
const POLL_MS = 50;
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
  const deadline = Date.now() + WAIT_MS;
  while (Date.now() < deadline) {
    let report = await redis.get('report');
    if (report === null && (await redis.get('report:lock')) === null) {
      await redis.set('report:lock', INSTANCE, { PX: LOCK_MS });
      report = await loadReport();
      await redis.set('report', report, { EX: TTL_SECONDS });
    }
    if (report !== null) {
      res.send(report);
      return;
    }
    await delay(POLL_MS);
  }
  res.sendStatus(503);
});

app.listen(Number(PORT), HOST);
