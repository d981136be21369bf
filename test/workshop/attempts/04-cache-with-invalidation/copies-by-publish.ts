// A map in each process, cleared by a message. Expected: in the memory of the process
import { setTimeout as delay } from 'node:timers/promises';
import express from 'express';
import { createClient } from 'redis';

const { REDIS_URL = '', PORT, HOST = '' } = process.env;

const redis = createClient({ url: REDIS_URL });
redis.on('error', (err) => console.error(err.message));
await redis.connect();

/** The database. A read takes 200 ms. Do not change these two functions. */
async function readPrice(): Promise<string> {
  const [, price] = await redis.multi().incr('db:reads').get('db:price').execTyped();
  await delay(200);
  return price ?? '0';
}
async function writePrice(price: number): Promise<void> {
  await redis.set('db:price', price);
}

const app = express();
app.use(express.json());
const cache = new Map<string, string>();
const subscriber = redis.duplicate();
await subscriber.connect();
await subscriber.subscribe('product', () => cache.clear());

app.get('/product', async (_req, res) => {
  const price = cache.get('product') ?? (await readPrice());
  cache.set('product', price);
  res.json({ price: Number(price) });
});

app.put('/product', async (req, res) => {
  await writePrice(req.body.price);
  await redis.publish('product', 'changed');
  res.json({ price: req.body.price });
});

app.listen(Number(PORT), HOST);
