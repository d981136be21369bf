import type { Express } from 'express';
import { changeId } from '../shared/change-id.ts';
import { deadline } from '../shared/deadline.ts';
import { newExpress } from '../shared/express.ts';
import { live, ready } from '../shared/health.ts';
import { jsonBody } from '../shared/json-body.ts';
import { KnownVisitors } from '../shared/known-visitors.ts';
import { notFound, problems } from '../shared/problem.ts';
import { replyHeaders } from '../shared/reply-headers.ts';
import { sameOrigin } from '../shared/same-origin.ts';
import type { Parts } from '../shared/service.ts';
import { sessions } from '../shared/session.ts';
import { secretsOf } from '../shared/session-secret.ts';
import { redisState, type SessionState } from '../shared/session-state.ts';
import { GuardedRedisStore, type SessionStore } from '../shared/session-store.ts';
import { Cache } from './cache/cache.ts';
import { LocalCache } from './cache/local-cache.ts';
import { slowOrigin } from './cache/origin.ts';
import type { Config } from './config.ts';
import { createMetrics } from './metrics.ts';
import { addToCart, cartBody, removeFromCart, showCart } from './routes/cart.ts';
import { dataAtHand, forgetData, getData } from './routes/data.ts';
import { logIn, loginBody, logOut, whoAmI } from './routes/login.ts';
import { countAgain, countViews } from './routes/views.ts';
import { memoryStore } from './wrong-ways/memory-store.ts';
import { stateInSession, viewsInSession } from './wrong-ways/state-in-session.ts';

/** One instance: its middleware in order, and all of its routes. */
export function createApp(parts: Parts<Config>): Express {
  const { config, redis, log, isDraining } = parts;
  const { store, state } = stateOf(parts);
  const secrets = secretsOf(config, redis);
  const session = sessions({ name: config.SESSION_NAME, store, secrets });
  const visitors = new KnownVisitors(config.SESSION_NAME, secrets);
  const cache = cacheOf(parts);
  const metrics = createMetrics(config.INSTANCE, cache.counts);

  const app = newExpress();
  app.use(metrics.measure);
  app.get('/data', dataAtHand(cache, config.INSTANCE));
  app.get('/data/:key', dataAtHand(cache, config.INSTANCE));
  app.use(replyHeaders(config.INSTANCE));
  app.use(deadline(config.REQUEST_TIMEOUT_MS));

  // with a session; what changes it is refused to other sites, and done once
  const change = [sameOrigin, changeId(config.DEDUPE === 'on')];
  const again = countAgain(state, visitors, config.INSTANCE);
  app.get('/', change, again, session, countViews(state, config.INSTANCE));
  app.post('/login', change, jsonBody(loginBody), session, logIn);
  app.post('/logout', change, session, logOut(config.SESSION_NAME));
  app.get('/me', session, whoAmI(state));
  app.get('/cart', session, showCart(state));
  app.post('/cart', change, jsonBody(cartBody), session, addToCart(state));
  app.delete('/cart/:item', change, session, removeFromCart(state));

  // without one
  app.get('/data', getData(cache));
  app.get('/data/:key', getData(cache));
  app.delete('/data', sameOrigin, forgetData(cache));
  app.delete('/data/:key', sameOrigin, forgetData(cache));
  app.get('/livez', live);
  app.get('/readyz', ready(redis, isDraining));
  app.get('/metrics', metrics.expose); // nginx does not pass it on

  app.use(notFound);
  app.use(problems(log));
  return app;
}

function cacheOf({ config, connect, log }: Parts<Config>): Cache {
  const { CACHE_TTL_SECONDS: ttl, CACHE_STALE_SECONDS: stale = ttl / 2 } = config;
  return new Cache({
    local: new LocalCache(connect, config.CACHE === 'local'),
    origin: slowOrigin(config.ORIGIN_DELAY_MS, config.ORIGIN_FAILURE_PERCENT),
    guard: config.CACHE_GUARD,
    enabled: config.CACHE !== 'off',
    ttlMs: ttl * 1000,
    staleMs: stale * 1000,
    instance: config.INSTANCE,
    log,
  });
}

/** Where sessions are kept, and what belongs to them: in Redis, or in a wrong way for teaching. */
function stateOf(parts: Parts<Config>): { store: SessionStore; state: SessionState } {
  const { config, redis, log } = parts;
  if (config.SESSION_STORE === 'memory') return { store: memoryStore(log), state: stateInSession };
  const store = new GuardedRedisStore(redis, config.SESSION_TTL_SECONDS, log);
  const state = redisState(redis, config.SESSION_TTL_SECONDS, log);
  return { store, state: config.COUNTER === 'session' ? viewsInSession(state) : state };
}
