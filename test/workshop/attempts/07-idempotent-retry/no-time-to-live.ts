// Keys that stay. Expected: never expires
import express from 'express';
import { createClient } from 'redis';

/** One step in Redis: no other request comes between, and no crash of an instance. */
const ORDER_ONCE = `
  local number = redis.call('GET', KEYS[1])
  if not number then
    number = redis.call('RPUSH', KEYS[2], ARGV[1])
    redis.call('SET', KEYS[1], number)
  end
  return tonumber(number)`;
const { REDIS_URL = '', PORT, HOST = '' } = process.env;

const redis = createClient({ url: REDIS_URL });
redis.on('error', (err) => console.error(err.message));
await redis.connect();

const app = express();
app.use(express.json());

app.post('/orders', async (req, res) => {
  const key = req.get('Idempotency-Key');
  if (!key) {
    res.status(400).json({ error: 'Idempotency-Key is missing' });
    return;
  }
  const number = await redis.eval(ORDER_ONCE, {
    keys: [`order:${key}`, 'orders'],
    arguments: [req.body.item],
  });
  res.status(201).json({ number });
});

app.get('/orders', async (_req, res) => {
  res.json(await redis.lRange('orders', 0, -1));
});

app.listen(Number(PORT), HOST);
