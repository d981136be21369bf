// Claims the key, then orders. Expected: the retry finds its key and does not order
import { setTimeout as delay } from 'node:timers/promises';
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
  const expiration = { type: 'EX', value: TTL_SECONDS } as const;
  if (await redis.set(key, 0, { condition: 'NX', expiration })) {
    await redis.set(key, await redis.rPush('orders', req.body.item), { expiration });
  }
  let number = Number(await redis.get(key));
  for (let tries = 0; number === 0 && tries < 20; tries += 1) {
    await delay(50);
    number = Number(await redis.get(key));
  }
  res.status(number === 0 ? 503 : 201).json({ number });
});

app.get('/orders', async (_req, res) => {
  res.json(await redis.lRange('orders', 0, -1));
});

app.listen(Number(PORT), HOST);
