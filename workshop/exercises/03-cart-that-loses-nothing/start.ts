import { RedisStore } from 'connect-redis';
import express from 'express';
import session from 'express-session';
import { createClient } from 'redis';

declare module 'express-session' {
  interface SessionData {
    cart: Record<string, number>;
  }
}

const { REDIS_URL = '', SESSION_SECRET = '', PORT, HOST = '' } = process.env;

const redis = createClient({ url: REDIS_URL });
redis.on('error', (err) => console.error(err.message));
await redis.connect();

const app = express();
const store = new RedisStore({ client: redis });
app.use(session({ store, secret: SESSION_SECRET, resave: false, saveUninitialized: true }));
app.use(express.json());

app.post('/cart', (req, res) => {
  const { item, quantity } = req.body;
  const cart = req.session.cart ?? {};
  cart[item] = (cart[item] ?? 0) + quantity;
  req.session.cart = cart;
  res.json({ item, quantity });
});

app.get('/cart', (req, res) => {
  res.json(req.session.cart ?? {});
});

app.listen(Number(PORT), HOST);
