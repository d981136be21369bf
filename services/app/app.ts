import express, { type Express } from 'express';
import type { Logger } from 'pino';
import type { Config } from './config.ts';
import { redisCache } from './data-cache.ts';
import { identify } from './identify.ts';
import { createMetrics } from './metrics.ts';
import { fetchFromOrigin } from './origin.ts';
import { notFound, problems } from './problem.ts';
import type { Redis } from './redis.ts';
import { forgetData, getData } from './routes/data.ts';
import { live, ready } from './routes/health.ts';
import { countViews } from './routes/views.ts';
import { securityHeaders } from './security-headers.ts';
import { redisStore, sessions } from './session.ts';
import { SharedSecret } from './session-secret.ts';
import { atomicCounter } from './view-counter.ts';
import { memoryStore } from './wrong-ways/memory-store.ts';
import { sessionCounter } from './wrong-ways/session-counter.ts';

/** What an instance is made of. */
export interface Parts {
  config: Config;
  redis: Redis;
  log: Logger;
  /** True once the process has been asked to end. */
  isDraining: () => boolean;
}

/** One instance: its middleware in order, and all of its routes. */
export function createApp({ config, redis, log, isDraining }: Parts): Express {
  const inMemory = config.SESSION_STORE === 'memory';
  const store = inMemory ? memoryStore(log) : redisStore(redis, config.SESSION_TTL_SECONDS);
  const countView =
    inMemory || config.COUNTER === 'session'
      ? sessionCounter
      : atomicCounter(redis, config.SESSION_TTL_SECONDS);
  const session = sessions({ name: config.SESSION_NAME, store, secrets: secrets(config, redis) });
  const cache = redisCache(redis, config.CACHE_TTL_SECONDS);
  const origin = () => fetchFromOrigin(config.ORIGIN_DELAY_MS);
  const metrics = createMetrics(config.INSTANCE);

  const app = express();
  app.disable('x-powered-by');
  app.disable('etag'); // each reply differs, or is too short to gain by it
  app.enable('case sensitive routing'); // so that a path means to nginx what it means here
  app.enable('strict routing');
  app.set('trust proxy', 1); // nginx, and nobody before it

  app.use(identify(config.INSTANCE));
  app.use(metrics.measure);
  app.use(securityHeaders);

  app.get('/livez', live);
  app.get('/readyz', ready(redis, isDraining));
  app.get('/metrics', metrics.expose); // nginx does not pass it on
  app.get('/data', getData(cache, origin, config.INSTANCE));
  app.delete('/data', forgetData(cache));

  app.get('/', session, countViews(countView, config.INSTANCE));

  app.use(notFound);
  app.use(problems(log));
  return app;
}

function secrets(config: Config, redis: Redis): () => Promise<string[]> {
  const configured = config.SESSION_SECRET;
  if (configured) return async () => configured;
  const shared = new SharedSecret(redis);
  return () => shared.known();
}
