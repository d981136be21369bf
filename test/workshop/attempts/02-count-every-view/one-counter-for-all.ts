// A key without the session. Expected: Both visitors use the same counter
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
// The session itself is empty now, but it is stored, so that the visitor gets a cookie.
app.use(session({ store, secret: SESSION_SECRET, resave: false, saveUninitialized: true }));

app.get('/', async (_req, res) => {
  // The counter has a key of its own. Redis adds one in a single step, for all instances.
  const key = 'views';
  const [views] = await redis.multi().incr(key).expire(key, TTL_SECONDS).execTyped();
  res.send(`Views: ${views}`);
});

app.listen(Number(PORT), HOST);
