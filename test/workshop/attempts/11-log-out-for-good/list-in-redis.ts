// A list of ended sessions, which themselves stay. Expected: still has the session
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { RedisStore } from 'connect-redis';
import express, { type RequestHandler } from 'express';
import session from 'express-session';
import { createClient } from 'redis';

declare module 'express-session' {
  interface SessionData {
    name?: string;
    lastReport?: string;
  }
}

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

app.use(async (req, res, next) => {
  if (!(await redis.sIsMember('ended', req.sessionID))) return next();
  res.status(401).json({ error: 'Please log in.' });
});

const requireLogin: RequestHandler = (req, res, next) => {
  if (req.session.name) next();
  else res.status(401).json({ error: 'Please log in.' });
};

app.post('/login', async (req, res) => {
  await promisify(req.session.regenerate).call(req.session); // a new session ID
  req.session.name = req.body.name;
  res.status(204).end();
});

app.get('/me', requireLogin, (req, res) => {
  res.json({ name: req.session.name });
});

app.get('/report', requireLogin, async (req, res) => {
  await createReport();
  req.session.lastReport = new Date().toISOString();
  res.json({ report: 'all is well' });
});

app.post('/logout', async (req, res) => {
  await redis.sAdd('ended', req.sessionID);
  res.clearCookie('connect.sid').status(204).end();
});

app.listen(Number(PORT), HOST);
