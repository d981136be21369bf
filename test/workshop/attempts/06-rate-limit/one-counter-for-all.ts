// A key without the API key. Expected: Each API key needs its own counter
import express from 'express';
import { createClient } from 'redis';

const LIMIT = 10;
const WINDOW_SECONDS = 2;
const { REDIS_URL = '', PORT, HOST = '' } = process.env;

const redis = createClient({ url: REDIS_URL });
redis.on('error', (err) => console.error(err.message));
await redis.connect();

const app = express();

app.get('/search', async (_req, res) => {
  const key = 'limit';
  // With NX, only the first request sets the end of the window. INCR does not change it.
  const [, count, milliseconds] = await redis
    .multi()
    .set(key, 0, { NX: true, EX: WINDOW_SECONDS })
    .incr(key)
    .pTTL(key)
    .execTyped();
  if (count > LIMIT) {
    const seconds = Math.max(1, Math.ceil(milliseconds / 1000)); // 0 would invite a request at once
    res.set('Retry-After', String(seconds)).status(429).send('Too many requests');
    return;
  }
  res.send('Found');
});

app.listen(Number(PORT), HOST);
