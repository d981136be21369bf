// A key without the session. Expected: Both visitors use the same cart
import { RedisStore } from 'connect-redis';
import express from 'express';
import session from 'express-session';
import { createClient } from 'redis';

const TTL_SECONDS = 24 * 60 * 60; // as long as connect-redis keeps a session
const { REDIS_URL = '', SESSION_SECRET = '', PORT, HOST = '' } = process.env;

const redis = createClient({ url: REDIS_URL });
redis.on('error', (err) => console.error(err.message));
await redis.connect();

const app = express();
const store = new RedisStore({ client: redis });
app.use(session({ store, secret: SESSION_SECRET, resave: false, saveUninitialized: true }));
app.use(express.json());

app.post('/cart', async (req, res) => {
  const { item, quantity } = req.body;
  const key = 'cart';
  await redis.multi().hIncrBy(key, item, quantity).expire(key, TTL_SECONDS).exec();
  res.json({ item, quantity });
});

app.get('/cart', async (_req, res) => {
  const key = 'cart';
  const [cart] = await redis.multi().hGetAll(key).expire(key, TTL_SECONDS).execTyped();
  const quantities = Object.entries(cart).map(([item, quantity]) => [item, Number(quantity)]);
  res.json(Object.fromEntries(quantities));
});

app.listen(Number(PORT), HOST);
