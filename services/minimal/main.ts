import { hostname } from 'node:os';
import { promisify } from 'node:util';
import { RedisStore } from 'connect-redis';
import express from 'express';
import session from 'express-session';
import { createClient } from 'redis';

declare module 'express-session' {
  interface SessionData {
    createdAt: number;
  }
}

const TTL_SECONDS = 24 * 60 * 60;
const { SESSION_SECRET: secret, SESSION_COOKIE_NAME: name, INSTANCE = hostname() } = process.env;
const { REDIS_URL = 'redis://127.0.0.1:6379', PORT = '3000', HOST = '0.0.0.0' } = process.env;
if (!secret) {
  console.error('SESSION_SECRET is missing; set the same long random text for all instances.');
  process.exit(1);
}
// Without the offline queue, a command fails at once while Redis is down, instead of waiting.
const client = createClient({ url: REDIS_URL, disableOfflineQueue: true });
client.on('error', (err) => console.error('Redis:', err.code ?? err.message));
await client.connect();

const app = express().disable('x-powered-by').set('trust proxy', 1); // nginx is the one proxy
const store = new RedisStore({ client, prefix: 'minimal:session:', ttl: TTL_SECONDS });
const cookie = { httpOnly: true, sameSite: 'lax', secure: 'auto' } as const;
const options = { name, store, secret, cookie, resave: false, saveUninitialized: false };

// Before the sessions: a health check needs none.
app.get('/readyz', async (_req, res) => res.type('text').send(await client.ping()));
app.get('/', session(options), async (req, res) => {
  // The counter is not in the session: two requests would read 5 there, and both would store 6.
  const key = `minimal:views:${req.sessionID}`;
  const [views] = await client.multi().incr(key).expire(key, TTL_SECONDS).execTyped();
  if (!req.session.createdAt) {
    req.session.createdAt = Date.now();
    await promisify(req.session.save).call(req.session); // stored before the reply says so
  }
  res.set('X-Instance', INSTANCE).type('text').send(`Views: ${views}`);
});

// Process 1 of a container ignores SIGTERM unless there is a handler.
process.on('SIGTERM', () => process.exit());
const server = app.listen(Number(PORT), HOST, (err) => {
  if (err) throw err; // a busy port, for example
  console.log(`${INSTANCE} listens on ${HOST}:${PORT}`);
});
server.keepAliveTimeout = 65_000; // longer than nginx keeps an idle connection, which is 60 s
