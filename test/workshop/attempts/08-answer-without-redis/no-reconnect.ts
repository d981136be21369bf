// The client does not connect again. Expected: They do not connect to Redis again
import express from 'express';
import { createClient } from 'redis';

const { REDIS_URL = '', PORT, HOST = '' } = process.env;

const redis = createClient({
  url: REDIS_URL,
  disableOfflineQueue: true,
  socket: { reconnectStrategy: false },
});
redis.on('error', (err) => console.error(err.message));
await redis.connect();

const app = express();

app.get('/', async (_req, res) => {
  try {
    const views = await redis.incr('views');
    res.send(`Views: ${views}`);
  } catch {
    res.status(503).send('Please try again.');
  }
});

app.listen(Number(PORT), HOST);
