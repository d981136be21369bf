import { setTimeout as delay } from 'node:timers/promises';
import express from 'express';
import { createClient } from 'redis';

const SHUTDOWN_MS = 8000; // a container is killed 10 s after SIGTERM
const { REDIS_URL = '', PORT, HOST = '' } = process.env;

const redis = createClient({ url: REDIS_URL });
redis.on('error', (err) => console.error(err.message));
await redis.connect();

/** Stands for a payment provider: it takes the money at once, and answers later. */
async function pay(order: string) {
  await redis.rPush('payments', order);
  await delay(300);
}

const app = express();

app.post('/orders/:order', async (req, res) => {
  await pay(req.params.order);
  await redis.rPush('orders', req.params.order);
  res.status(201).send('Thank you.');
});

const server = app.listen(Number(PORT), HOST);

process.once('SIGTERM', () => {
  // Accepts no new connections. The callback runs after the last reply.
  server.close(() => redis.close()); // then nothing is open, so the process ends
  // Ends the process if a request hangs, or Redis.
  setTimeout(() => process.exit(1), SHUTDOWN_MS).unref();
});
