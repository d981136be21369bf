// Deletes the session and begins no other. Expected: ended her session and began no other
import { RedisStore } from 'connect-redis';
import express from 'express';
import session from 'express-session';
import { createClient } from 'redis';

declare module 'express-session' {
  interface SessionData {
    views: number;
    name?: string;
  }
}

const { REDIS_URL = '', SESSION_SECRET = '', PORT, HOST = '' } = process.env;

const redis = createClient({ url: REDIS_URL });
redis.on('error', (err) => console.error(err.message));
await redis.connect();

const app = express();
const store = new RedisStore({ client: redis });
app.use(session({ store, secret: SESSION_SECRET, resave: false, saveUninitialized: false }));
app.use(express.json());

app.get('/', (req, res) => {
  req.session.views = (req.session.views ?? 0) + 1;
  res.send(`Views: ${req.session.views}`);
});

app.post('/login', (req, res, next) => {
  req.session.destroy((err) => {
    if (err) return next(err);
    res.json({ name: req.body.name });
  });
});

app.get('/me', (req, res) => {
  const { name } = req.session;
  res.status(name ? 200 : 401).json({ name });
});

app.listen(Number(PORT), HOST);
