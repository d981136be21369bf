// Looks for the key, orders, and remembers the key. Expected: before one of them has remembered it
import express from 'express';
import { createClient } from 'redis';

const TTL_SECONDS = 24 * 60 * 60; // longer than a client retries
const { REDIS_URL = '', PORT, HOST = '' } = process.env;

const redis = createClient({ url: REDIS_URL });
redis.on('error', (err) => console.error(err.message));
await redis.connect();

const app = express();
app.use(express.json());

app.post('/orders', async (req, res) => {
  const key = `order:${req.get('Idempotency-Key')}`;
  const stored = await redis.get(key);
  const number = stored ?? (await redis.rPush('orders', req.body.item));
  if (!stored) await redis.set(key, number, { expiration: { type: 'EX', value: TTL_SECONDS } });
  res.status(201).json({ number: Number(number) });
});

app.get('/orders', async (_req, res) => {
  res.json(await redis.lRange('orders', 0, -1));
});

app.listen(Number(PORT), HOST);
