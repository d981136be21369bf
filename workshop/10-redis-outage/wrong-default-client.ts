// The wrong way, from most articles: a Redis client with its default options. It has no deadline for
// a command that was sent.
import { RedisStore } from 'connect-redis';
import express from 'express';
import session from 'express-session';
import { createClient } from 'redis';

declare module 'express-session' {
  interface SessionData {
    views: number;
  }
}

const { REDIS_URL = 'redis://localhost:6379', PORT = '3000', HOST = '0.0.0.0' } = process.env;

const client = createClient({ url: REDIS_URL });
client.on('error', (err) => console.error(err.message));
await client.connect();

const app = express();
app.get('/readyz', (_req, res) => {
  res.send('ready');
});
app.use(
  session({
    store: new RedisStore({ client }),
    secret: 'the same on every instance',
    resave: false,
    saveUninitialized: false,
  }),
);
app.get('/', (req, res) => {
  req.session.views = (req.session.views ?? 0) + 1;
  res.send(`Views: ${req.session.views}`);
});
app.listen(Number(PORT), HOST);
process.once('SIGTERM', () => process.exit());
