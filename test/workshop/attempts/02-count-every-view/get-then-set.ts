// Two steps in Redis. Expected: Two requests read the same number
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

app.get('/', async (req, res) => {
  const key = `views:${req.sessionID}`;
  const views = Number(await redis.get(key)) + 1;
  await redis.set(key, views, { EX: TTL_SECONDS });
  res.send(`Views: ${views}`);
});

app.listen(Number(PORT), HOST);
