import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { RedisStore } from 'connect-redis';
import express, { type RequestHandler } from 'express';
import session from 'express-session';
import { createClient } from 'redis';

declare module 'express-session' {
  interface SessionData {
    since?: string;
    lastReport?: string;
  }
}

const TTL_SECONDS = 24 * 60 * 60; // as long as connect-redis keeps a session
const { REDIS_URL = '', SESSION_SECRET = '', PORT, HOST = '' } = process.env;

const redis = createClient({ url: REDIS_URL });
redis.on('error', (err) => console.error(err.message));
await redis.connect();

/** Stands for a report that takes long: it ends when the check has set the key to `data`. */
async function createReport() {
  await redis.set('report', 'begun', { EX: 60 });
  while ((await redis.get('report')) !== 'data') await delay(20);
}

const app = express();
app.use(express.json());
const store = new RedisStore({ client: redis });
app.use(session({ store, secret: SESSION_SECRET, resave: false, saveUninitialized: false }));

// The login has a key of its own. Only /login sets it, so no slow request can bring it back.
const loginKey = (sessionId: string) => `login:${sessionId}`;

const requireLogin: RequestHandler = async (req, res, next) => {
  // GETEX lets the login live as long as the session, which each request extends.
  const lifetime = { type: 'EX', value: TTL_SECONDS } as const;
  res.locals.name = await redis.getEx(loginKey(req.sessionID), lifetime);
  if (res.locals.name) next();
  else res.status(401).json({ error: 'Please log in.' });
};

app.post('/login', async (req, res) => {
  await promisify(req.session.regenerate).call(req.session); // a new session ID
  req.session.since = new Date().toISOString(); // an empty session gets no cookie
  await redis.set(loginKey(req.sessionID), req.body.name, { EX: TTL_SECONDS });
  res.status(204).end();
});

app.get('/me', requireLogin, (_req, res) => {
  res.json({ name: res.locals.name });
});

app.get('/report', requireLogin, async (req, res) => {
  await createReport();
  req.session.lastReport = new Date().toISOString();
  res.json({ report: 'all is well' });
});

app.post('/logout', async (req, res) => {
  await redis.del(loginKey(req.sessionID));
  await promisify(req.session.destroy).call(req.session);
  res.clearCookie('connect.sid').status(204).end();
});

app.listen(Number(PORT), HOST);
