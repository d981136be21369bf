// Refuses without a time. Expected: a client does not know when to try again
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
  const [, count] = await redis
    .multi()
    .set(key, 0, { NX: true, EX: WINDOW_SECONDS })
    .incr(key)
    .execTyped();
  if (count > LIMIT) {
    res.status(429).send('Too many requests');
    return;
  }
  res.send('Found');
});

app.listen(Number(PORT), HOST);
