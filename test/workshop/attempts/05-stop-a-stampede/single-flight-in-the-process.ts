// Shares a promise in each process. Expected: an instance does not know that another one is loading
import { setTimeout as delay } from 'node:timers/promises';
import express from 'express';
import { createClient } from 'redis';

const TTL_SECONDS = 60;
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

let loading: Promise<string> | undefined;
async function loadOnce(): Promise<string> {
  const report = await loadReport();
  await redis.set('report', report, { EX: TTL_SECONDS });
  return report;
}

app.get('/report', async (_req, res) => {
  let report = await redis.get('report');
  if (report === null) {
    loading ??= loadOnce().finally(() => {
      loading = undefined;
    });
    report = await loading;
  }
  res.send(report);
});

app.listen(Number(PORT), HOST);
