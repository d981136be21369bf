// The cart as JSON in a key. Expected: the last one removes what the other one added
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
  const key = `cart:${req.sessionID}`;
  const cart = JSON.parse((await redis.get(key)) ?? '{}');
  cart[item] = (cart[item] ?? 0) + quantity;
  await redis.set(key, JSON.stringify(cart), { EX: TTL_SECONDS });
  res.json({ item, quantity });
});

app.get('/cart', async (req, res) => {
  res.json(JSON.parse((await redis.get(`cart:${req.sessionID}`)) ?? '{}'));
});

app.listen(Number(PORT), HOST);
