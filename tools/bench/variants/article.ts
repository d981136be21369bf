// The introductory article: the views are a field of the session.
import { RedisStore } from 'connect-redis';
import express from 'express';
import session from 'express-session';
import { createClient } from 'redis';

declare module 'express-session' {
  interface SessionData {
    views: number;
  }
}

const client = createClient({ url: process.env.REDIS_URL ?? '' });
client.on('error', console.error);
await client.connect();

const app = express();
app.get('/readyz', (_req, res) => void res.send('ready'));
app.use(
  session({
    store: new RedisStore({ client }),
    secret: 'the same on every instance',
    resave: false,
    saveUninitialized: false,
  }),
);
app.get('/', (req, res) => {
  req.session.views = (req.session.views || 0) + 1;
  res.send(`Views: ${req.session.views}`);
});
app.listen(Number(process.env.PORT), '127.0.0.1');
