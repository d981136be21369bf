// Reads the count, then stores it. Expected: Counting must be one step
import express from 'express';
import { createClient } from 'redis';

const LIMIT = 10;
const WINDOW_SECONDS = 2;
const { REDIS_URL = '', PORT, HOST = '' } = process.env;

const redis = createClient({ url: REDIS_URL });
redis.on('error', (err) => console.error(err.message));
await redis.connect();

const app = express();

app.get('/search', async (req, res) => {
  const key = `limit:${req.get('X-Api-Key') ?? ''}`;
  const count = Number(await redis.get(key)) + 1;
  await redis.set(key, count, count === 1 ? { EX: WINDOW_SECONDS } : { KEEPTTL: true });
  if (count > LIMIT) {
    res.set('Retry-After', String(WINDOW_SECONDS)).status(429).send('Too many requests');
    return;
  }
  res.send('Found');
});

app.listen(Number(PORT), HOST);
