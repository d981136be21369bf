// A socket timeout, which each command that is sent restarts. Expected: The timeout of a socket begins again
import express from 'express';
import { createClient } from 'redis';

const { REDIS_URL = '', PORT, HOST = '' } = process.env;

const redis = createClient({
  url: REDIS_URL,
  disableOfflineQueue: true,
  pingInterval: 200,
  socket: { socketTimeout: 800, reconnectStrategy: () => 200 },
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
