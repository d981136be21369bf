import express from 'express';
import { createClient } from 'redis';

const { REDIS_URL = '', PORT, HOST = '' } = process.env;

const redis = createClient({ url: REDIS_URL });
redis.on('error', (err) => console.error(err.message));
await redis.connect();

const app = express();
app.use(express.json());

app.post('/orders', async (req, res) => {
  const number = await redis.rPush('orders', req.body.item);
  res.status(201).json({ number });
});

app.get('/orders', async (_req, res) => {
  res.json(await redis.lRange('orders', 0, -1));
});

app.listen(Number(PORT), HOST);
