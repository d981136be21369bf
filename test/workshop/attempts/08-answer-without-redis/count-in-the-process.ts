// Counts in the process while Redis is away. Expected: although Redis stored nothing
import express from 'express';
import { createClient } from 'redis';

const { REDIS_URL = '', PORT, HOST = '' } = process.env;

const redis = createClient({ url: REDIS_URL, disableOfflineQueue: true });
redis.on('error', (err) => console.error(err.message));
await redis.connect();

const app = express();

let views = 0;
app.get('/', async (_req, res) => {
  try {
    views = await redis.incr('views');
  } catch {
    views += 1;
  }
  res.send(`Views: ${views}`);
});

app.listen(Number(PORT), HOST);
