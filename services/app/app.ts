import type { Express } from 'express';
import { deadline } from '../shared/http/deadline.ts';
import { createExpress } from '../shared/http/express.ts';
import { live, ready } from '../shared/http/health.ts';
import { idempotency } from '../shared/http/idempotency.ts';
import { jsonBody } from '../shared/http/json-body.ts';
import { noSpeculation } from '../shared/http/no-speculation.ts';
import { notFound, problemHandler } from '../shared/http/problem.ts';
import { replyHeaders } from '../shared/http/reply-headers.ts';
import { sameOrigin } from '../shared/http/same-origin.ts';
import { logIfDenied, redisErrors } from '../shared/process/redis-errors.ts';
import type { ServiceContext } from '../shared/process/service.ts';
import { type LoadingOptions, runBeforeLoading } from '../shared/session/before-loading.ts';
import { type SessionRedis, sessionChanges, sessionScripts } from '../shared/session/scripts.ts';
import { sessionSecrets } from '../shared/session/secret.ts';
import { sessions } from '../shared/session/session.ts';
import { redisSessionState, type SessionState } from '../shared/session/state.ts';
import { RedisSessionStore, type SessionStore } from '../shared/session/store.ts';
import { UserSessions, userChanges, userScripts } from '../shared/user/user-sessions.ts';
import { Cache } from './cache/cache.ts';
import { type ConnectCache, LocalCache } from './cache/local-cache.ts';
import { slowOrigin } from './cache/origin.ts';
import { cacheScripts } from './cache/scripts.ts';
import type { Config } from './config.ts';
import { FaultInjection } from './fault-injection/fault-injection.ts';
import { startHeartbeat } from './heartbeat/heartbeat.ts';
import { heartbeatScripts } from './heartbeat/scripts.ts';
import { liveMessages } from './live/messages.ts';
import { createMetrics } from './metrics.ts';
import { addToCart, cartBody, removeFromCart, showCart } from './routes/cart.ts';
import { getData, invalidateData } from './routes/data.ts';
import { DATA_PATH, getFreshData } from './routes/fresh-data.ts';
import { limitLogins, logIn, loginBody, logOut, logOutEverywhere, whoAmI } from './routes/login.ts';
import { countView } from './routes/views.ts';
import { memoryStore } from './wrong-ways/memory-store.ts';
import { stateInSession, viewsInSession } from './wrong-ways/state-in-session.ts';

/** Longer than the simulated origin can be set to take. */
const ORIGIN_TIMEOUT_MS = 10_000;

/** One instance: all of its middleware in order, and all of its routes. */
export function createApp(context: ServiceContext<Config>): Express {
  const { config, instance, connect, log, draining } = context;
  const { SESSION_COOKIE_NAME: cookieName, SESSION_TTL_SECONDS: ttlSeconds } = config;

  const scripts = { ...sessionScripts, ...userScripts, ...heartbeatScripts, ...cacheScripts };
  const changes = [...sessionChanges, ...userChanges];
  const evictions = { keys: 'applied:*', count: 0 }; // of idempotency keys
  const redis = connect({ name: 'Redis', scripts, changes, evictions });
  logIfDenied(redis, ['INFO', 'memory'], 'a full Redis may evict sessions', log);
  const store = sessionStore(context, redis);
  const secrets = sessionSecrets(config.SESSION_SECRET, redis, log);
  const users = new UserSessions(redis, ttlSeconds);
  const renewal = { ttlSeconds, renew: (name: string, id: string) => users.add(name, id) };
  const session = sessions({ cookieName, store, secrets, renewal });
  const loading = { session, cookieName, secrets, ttlSeconds };
  const state = sessionState(context, redis, loading);
  const faults = faultInjection(context);
  const cache = createCache(context, faults, (options) => connect({ ...options, scripts }));
  const named = startHeartbeat(context, redis, (received) => faults.apply(received));
  const { origin } = faults;
  const metrics = createMetrics({
    config,
    instance,
    cache: cache.counts,
    redis,
    evictions,
    origin,
  });

  const app = createExpress();
  app.use(metrics.measure);
  app.get(DATA_PATH, getFreshData(cache, instance));
  app.use(replyHeaders(instance));
  app.use(deadline(config.REQUEST_TIMEOUT_MS));

  // With a session. A change is refused to other sites and to a prefetch, and applied at most once.
  const change = [sameOrigin, noSpeculation, idempotency(config.IDEMPOTENCY === 'on', log)];
  app.get('/', change, countView(state, instance));
  const limited = limitLogins(redis, config.LOGIN_LIMIT);
  app.post('/login', change, jsonBody(loginBody), limited, session, logIn(users, ttlSeconds));
  app.post('/logout', change, session, logOut(users, cookieName));
  app.delete('/sessions', change, session, logOutEverywhere(users, cookieName));
  app.get('/me', session, whoAmI(state));
  app.get('/cart', showCart(state));
  app.post('/cart', change, jsonBody(cartBody), addToCart(state));
  app.delete('/cart/:item', change, removeFromCart(state));
  const subscriber = connect({ name: 'Redis (live)', scripts: {} });
  const messages = liveMessages({ store, publisher: redis, subscriber, instance, draining, log });
  app.get('/live', sameOrigin, session, messages);

  // Without a session.
  app.get('/data', getData(cache));
  app.get('/data/:key', getData(cache));
  app.delete('/data', sameOrigin, invalidateData(cache));
  app.delete('/data/:key', sameOrigin, invalidateData(cache));
  const check = () => Promise.all([redis.ping(), secrets()]);
  app.get('/livez', live);
  app.get('/readyz', ready({ check, draining, started: named }));
  app.get('/metrics', metrics.expose); // nginx does not pass it on

  app.use(notFound);
  app.use(redisErrors(log));
  app.use(problemHandler(log));
  return app;
}

/** Where sessions are stored: in Redis, or in a wrong way for teaching. */
function sessionStore({ config, log }: ServiceContext<Config>, redis: SessionRedis): SessionStore {
  if (config.SESSION_STORE === 'memory') return memoryStore(log);
  return new RedisSessionStore(redis, config.SESSION_TTL_SECONDS, log);
}

/** How the state of sessions is changed: in Redis, or in a wrong way for teaching. */
function sessionState(
  { config, log }: ServiceContext<Config>,
  redis: SessionRedis,
  loading: LoadingOptions,
): SessionState {
  const { session, ttlSeconds } = loading;
  if (config.SESSION_STORE === 'memory') return stateInSession(session);
  const state = redisSessionState(redis, ttlSeconds, log, runBeforeLoading(loading));
  return config.COUNTER === 'session' ? viewsInSession(state, session) : state;
}

function faultInjection({ config, log }: ServiceContext<Config>): FaultInjection {
  const { ORIGIN_DELAY_MS: delayMs, ORIGIN_FAILURE_PERCENT: failurePercent } = config;
  return new FaultInjection({ delayMs, failurePercent }, config.FAULT_INJECTION === 'on', log);
}

function createCache(
  { config, instance, log }: ServiceContext<Config>,
  faults: FaultInjection,
  connect: ConnectCache,
): Cache {
  const { CACHE_TTL_SECONDS: ttl, CACHE_STALE_SECONDS: stale = ttl / 2 } = config;
  return new Cache({
    local: new LocalCache(connect, config.CACHE === 'local'),
    origin: slowOrigin(faults.origin),
    guard: config.CACHE_GUARD,
    isEnabled: config.CACHE !== 'off',
    ttlMs: ttl * 1000,
    staleMs: stale * 1000,
    originTimeoutMs: ORIGIN_TIMEOUT_MS,
    instance,
    log,
  });
}
