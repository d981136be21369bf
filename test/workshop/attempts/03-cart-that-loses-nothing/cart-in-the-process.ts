// A map in each process. Expected: The instances show different carts
import { RedisStore } from 'connect-redis';
import express from 'express';
import session from 'express-session';
import { createClient } from 'redis';

const { REDIS_URL = '', SESSION_SECRET = '', PORT, HOST = '' } = process.env;

const redis = createClient({ url: REDIS_URL });
redis.on('error', (err) => console.error(err.message));
await redis.connect();

const app = express();
const store = new RedisStore({ client: redis });
app.use(session({ store, secret: SESSION_SECRET, resave: false, saveUninitialized: true }));
app.use(express.json());

const carts = new Map<string, Record<string, number>>();
app.post('/cart', (req, res) => {
  const { item, quantity } = req.body;
  const cart = carts.get(req.sessionID) ?? {};
  cart[item] = (cart[item] ?? 0) + quantity;
  carts.set(req.sessionID, cart);
  res.json({ item, quantity });
});

app.get('/cart', (req, res) => {
  res.json(carts.get(req.sessionID) ?? {});
});

app.listen(Number(PORT), HOST);
