import express from 'express';
import { pino } from 'pino';
import { createClient } from 'redis';
import { sessionScripts } from '../../../services/shared/session/scripts.ts';
import { sessionSecrets } from '../../../services/shared/session/secret.ts';
import { replaceSession, sessions } from '../../../services/shared/session/session.ts';
import { redisSessionState } from '../../../services/shared/session/state.ts';
import { RedisSessionStore } from '../../../services/shared/session/store.ts';

const log = pino();
const ttlSeconds = 24 * 60 * 60;
const redis = createClient({ url: process.env.REDIS_URL ?? '', scripts: sessionScripts });
redis.on('error', (err) => log.error(err));
await redis.connect();

const store = new RedisSessionStore(redis, ttlSeconds, log);
const state = redisSessionState(redis, ttlSeconds, log);
const secrets = sessionSecrets(undefined, redis, log);

const app = express().set('trust proxy', 1);
app.use(sessions({ cookieName: 'connect.sid', store, secrets }));
app.get('/', async (req, res) => void res.send(`Views: ${await state.countView(req)}`));
app.post('/cart/:item', async (req, res) => {
  res.json({ quantity: await state.addToCart(req, req.params.item, 1) });
});
app.post('/login/:name', async (req, res) => {
  await replaceSession(req, { name: req.params.name });
  res.send(`Hello ${req.session.name}`);
});
app.get('/me', async (req, res) => {
  res.json({ name: req.session.name, ...(await state.read(req)) });
});
app.listen(Number(process.env.PORT));
