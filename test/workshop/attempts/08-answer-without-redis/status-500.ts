// Express answers the error of the client. Expected: answered with 500, not 503
import express from 'express';
import { createClient } from 'redis';

const { REDIS_URL = '', PORT, HOST = '' } = process.env;

const redis = createClient({ url: REDIS_URL, disableOfflineQueue: true });
redis.on('error', (err) => console.error(err.message));
await redis.connect();

const app = express();

app.get('/', async (_req, res) => {
  const views = await redis.incr('views');
  res.send(`Views: ${views}`);
});

app.listen(Number(PORT), HOST);
