// A retry is a conflict. Expected: has not received the first reply
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
  const isFirst = await redis.set(key, 'seen', {
    condition: 'NX',
    expiration: { type: 'EX', value: TTL_SECONDS },
  });
  if (isFirst) {
    const number = await redis.rPush('orders', req.body.item);
    res.status(201).json({ number });
  } else {
    res.status(409).json({ error: 'already ordered' });
  }
});

app.get('/orders', async (_req, res) => {
  res.json(await redis.lRange('orders', 0, -1));
});

app.listen(Number(PORT), HOST);
