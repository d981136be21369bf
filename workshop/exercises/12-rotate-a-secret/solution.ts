import { RedisStore } from 'connect-redis';
import express from 'express';
import session from 'express-session';
import { createClient } from 'redis';

declare module 'express-session' {
  interface SessionData {
    views: number;
  }
}

const {
  REDIS_URL = '',
  SESSION_SECRET = '',
  PREVIOUS_SESSION_SECRET,
  PORT,
  HOST = '',
} = process.env;
// The first secret signs, and all of them verify.
const secrets = [SESSION_SECRET];
// Not an empty one: anyone can sign a cookie with that.
if (PREVIOUS_SESSION_SECRET) secrets.push(PREVIOUS_SESSION_SECRET);

const redis = createClient({ url: REDIS_URL });
redis.on('error', (err) => console.error(err.message));
await redis.connect();

const app = express();
const store = new RedisStore({ client: redis });
app.use(session({ store, secret: secrets, resave: false, saveUninitialized: false }));

app.get('/', (req, res) => {
  req.session.views = (req.session.views ?? 0) + 1;
  res.send(`Views: ${req.session.views}`);
});

app.listen(Number(PORT), HOST);
