import type { Express } from 'express';
import { Assets } from '../dashboard/assets.ts';
import { Board } from '../dashboard/board.ts';
import { boardScripts } from '../dashboard/board-scripts.ts';
import { deadline } from '../shared/http/deadline.ts';
import { newExpress } from '../shared/http/express.ts';
import { live, ready } from '../shared/http/health.ts';
import { changeId } from '../shared/http/idempotency.ts';
import { jsonBody } from '../shared/http/json-body.ts';
import { notFound, problems } from '../shared/http/problem.ts';
import { replyHeaders } from '../shared/http/reply-headers.ts';
import { sameOrigin } from '../shared/http/same-origin.ts';
import type { Parts } from '../shared/process/service.ts';
import { secretsOf } from '../shared/session/secret.ts';
import { sessions } from '../shared/session/session.ts';
import { redisState, type SessionState } from '../shared/session/state.ts';
import { GuardedRedisStore, type SessionStore } from '../shared/session/store.ts';
import { Cache } from './cache/cache.ts';
import { LocalCache } from './cache/local-cache.ts';
import { type OriginBehaviour, slowOrigin } from './cache/origin.ts';
import type { Config } from './config.ts';
import { KnownVisitors } from './fast-path/verified-cookies.ts';
import { Chaos } from './fault-injection/fault-injection.ts';
import { createMetrics } from './metrics.ts';
import { addToCart, cartBody, removeFromCart, showCart } from './routes/cart.ts';
import {
  instanceBody,
  originBody,
  pauseBody,
  pauseRedis,
  presenterOnly,
  resetOrigin,
  setOrigin,
  tellInstance,
} from './routes/chaos.ts';
import { DATA_PATH, dataAtHand, forgetData, getData } from './routes/data.ts';
import { logIn, loginBody, logOut, whoAmI } from './routes/login.ts';
import { roomCode } from './routes/room.ts';
import { countAgain, countViews } from './routes/views.ts';
import { memoryStore } from './wrong-ways/memory-store.ts';
import { stateInSession, viewsInSession } from './wrong-ways/state-in-session.ts';

/** One instance: its middleware in order, and all of its routes. */
export function createApp(parts: Parts<Config>): Express {
  const { config, identity, redis, connect, log, draining } = parts;
  const { store, state } = stateOf(parts);
  const secrets = secretsOf(config, redis);
  const session = sessions({ name: config.SESSION_COOKIE_NAME, store, secrets });
  const visitors = new KnownVisitors(config.SESSION_COOKIE_NAME, secrets);
  const chaos = chaosOf(parts);
  const cache = cacheOf(parts, chaos.origin);
  const metrics = createMetrics(identity, cache.counts);
  const boardRedis = connect({ name: 'Redis (board)', scripts: boardScripts });
  const board = new Board({ parts, redis: boardRedis, visitors, counts: cache.counts, chaos });
  const assets = new Assets();

  const app = newExpress();
  app.use(metrics.measure);
  app.get(DATA_PATH, dataAtHand(cache, identity));
  app.use(replyHeaders(identity));
  app.get('/events', board.events); // goes on for as long as the page is open
  app.use(deadline(config.REQUEST_TIMEOUT_MS));

  // with a session; what changes it is refused to other sites, and done once
  const change = [sameOrigin, changeId(config.IDEMPOTENCY === 'on')];
  const again = countAgain(state, visitors, identity);
  app.get('/', change, again, session, countViews(state, identity, assets, config.PUBLIC_URL));
  app.post('/login', change, jsonBody(loginBody), session, logIn);
  app.post('/logout', change, session, logOut(config.SESSION_COOKIE_NAME));
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
  app.get('/readyz', ready(redis, draining, board.presence.named));
  app.get('/metrics', metrics.expose); // nginx does not pass it on
  app.get('/instances', board.instances);
  app.get('/room.svg', roomCode(config.PUBLIC_URL));
  app.get('/board/:version/:file', assets.send);

  if (chaos.isEnabled) {
    const presenter = [sameOrigin, presenterOnly(config.PRESENTER_KEY)];
    const instance = jsonBody(instanceBody);
    app.post('/chaos/kill', presenter, instance, tellInstance(boardRedis, identity, 'kill'));
    app.post('/chaos/hang', presenter, instance, tellInstance(boardRedis, identity, 'hang'));
    app.put('/chaos/origin', presenter, jsonBody(originBody), setOrigin(boardRedis));
    app.delete('/chaos/origin', presenter, resetOrigin(boardRedis));
    app.post('/chaos/redis', presenter, jsonBody(pauseBody), pauseRedis(boardRedis));
  }

  app.use(notFound);
  app.use(problems(log));
  return app;
}

function chaosOf({ config, log }: Parts<Config>): Chaos {
  const { ORIGIN_DELAY_MS: delayMs, ORIGIN_FAILURE_PERCENT: failurePercent } = config;
  return new Chaos({ delayMs, failurePercent }, config.FAULT_INJECTION === 'on', log);
}

function cacheOf(
  { config, identity, connect, log }: Parts<Config>,
  behaviour: OriginBehaviour,
): Cache {
  const { CACHE_TTL_SECONDS: ttl, CACHE_STALE_SECONDS: stale = ttl / 2 } = config;
  return new Cache({
    local: new LocalCache(connect, config.CACHE === 'local'),
    origin: slowOrigin(behaviour),
    guard: config.CACHE_GUARD,
    enabled: config.CACHE !== 'off',
    ttlMs: ttl * 1000,
    staleMs: stale * 1000,
    identity,
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
