import { setTimeout as delay } from 'node:timers/promises';
import express from 'express';
import { createClient } from 'redis';

const DEADLINE_MS = 1000; // nginx gives up on an instance after 1.8 s
const MAX_QUEUE = 10_000; // commands that may wait for a reply; bounds memory while Redis hangs
const { REDIS_URL = '', PORT, HOST = '' } = process.env;

const redis = createClient({
  url: REDIS_URL,
  disableOfflineQueue: true, // without a connection, a command fails at once
  commandsQueueMaxLength: MAX_QUEUE,
});
redis.on('error', (err) => console.error(err.message));
await redis.connect();

/** Waits for a reply of Redis, but not forever: an open connection can be silent. */
function inTime<T>(reply: Promise<T>): Promise<T> {
  const late = delay(DEADLINE_MS, undefined, { ref: false }).then(() => {
    throw new Error(`Redis has not answered within ${DEADLINE_MS} ms`);
  });
  return Promise.race([reply, late]);
}

const app = express();

app.get('/', async (_req, res) => {
  try {
    const views = await inTime(redis.incr('views'));
    res.send(`Views: ${views}`);
  } catch (err) {
    console.error(err instanceof Error ? err.message : err);
    res.status(503).set('Retry-After', '1').send('Please try again.');
  }
});

app.listen(Number(PORT), HOST);
