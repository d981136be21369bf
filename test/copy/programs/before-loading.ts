import express from 'express';
import { pino } from 'pino';
import { createClient } from 'redis';
import { runBeforeLoading } from '../../../services/shared/session/before-loading.ts';
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
const secrets = sessionSecrets(undefined, redis, log);
const cookieName = 'connect.sid';
const session = sessions({ cookieName, store, secrets });
const beforeLoading = runBeforeLoading({ session, cookieName, secrets, ttlSeconds });
const state = redisSessionState(redis, ttlSeconds, log, beforeLoading);

const app = express().set('trust proxy', 1);
app.get('/', async (req, res) => void res.send(`Views: ${await state.countView(req)}`));
app.post('/cart/:item', async (req, res) => {
  res.json({ quantity: await state.addToCart(req, req.params.item, 1) });
});
app.post('/login/:name', session, async (req, res) => {
  await replaceSession(req, { name: String(req.params.name) });
  res.send(`Hello ${req.session.name}`);
});
app.get('/me', session, async (req, res) => {
  res.json({ name: req.session.name, ...(await state.read(req)) });
});
app.listen(Number(process.env.PORT));
