// The client has a timeout for commands, which does not cover a command that was sent. Expected: The connection to Redis is open, but no reply comes
import express from 'express';
import { createClient } from 'redis';

const { REDIS_URL = '', PORT, HOST = '' } = process.env;

const redis = createClient({
  url: REDIS_URL,
  disableOfflineQueue: true,
  commandOptions: { timeout: 1000 },
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
