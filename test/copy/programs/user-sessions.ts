import express from 'express';
import { pino } from 'pino';
import { createClient } from 'redis';
import { sessionScripts } from '../../../services/shared/session/scripts.ts';
import { endSession, replaceSession, sessions } from '../../../services/shared/session/session.ts';
import { RedisSessionStore } from '../../../services/shared/session/store.ts';
import { UserSessions, userScripts } from '../../../services/shared/user/user-sessions.ts';

const log = pino();
const ttlSeconds = 24 * 60 * 60;
const scripts = { ...sessionScripts, ...userScripts };
const redis = createClient({ url: process.env.REDIS_URL ?? '', scripts });
redis.on('error', (err) => log.error(err));
await redis.connect();

const users = new UserSessions(redis, ttlSeconds);
const options = {
  cookieName: 'connect.sid',
  store: new RedisSessionStore(redis, ttlSeconds, log),
  secrets: async () => [process.env.SESSION_SECRET ?? ''],
  renewal: { ttlSeconds, renew: (name: string, id: string) => users.add(name, id) },
};

const app = express().set('trust proxy', 1);
app.use(sessions(options));
app.post('/login/:name', async (req, res) => {
  await replaceSession(req, { name: req.params.name, renewedAt: Date.now() });
  await users.add(req.params.name, req.sessionID);
  res.send(`Hello ${req.session.name}`);
});
app.delete('/sessions', async (req, res) => {
  await users.endOthers(req.session.name ?? '', req.sessionID);
  await endSession(req);
  res.status(204).end();
});
app.get('/me', async (req, res) => {
  res.status(req.session.name ? 200 : 401).json({ name: req.session.name });
});
app.listen(Number(process.env.PORT));
