// Waits for the orders, but accepts new ones meanwhile. Expected: sent after SIGTERM failed with 502
import { setTimeout as delay } from 'node:timers/promises';
import express from 'express';
import { createClient } from 'redis';

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

app.listen(Number(PORT), HOST);

process.once('SIGTERM', () => {
  setTimeout(() => process.exit(0), 1000);
});
