// Stored once a second. Expected: does not see what the others have counted
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
// The session itself is empty now, but it is stored, so that the visitor gets a cookie.
app.use(session({ store, secret: SESSION_SECRET, resave: false, saveUninitialized: true }));

const unsaved = new Map<string, number>();
app.get('/', async (req, res) => {
  const key = `views:${req.sessionID}`;
  const views = Number(await redis.get(key));
  unsaved.set(key, (unsaved.get(key) ?? 0) + 1);
  res.send(`Views: ${views + (unsaved.get(key) ?? 0)}`);
});
setInterval(async () => {
  for (const [key, count] of unsaved) await redis.incrBy(key, count);
  unsaved.clear();
}, 1000);

app.listen(Number(PORT), HOST);
