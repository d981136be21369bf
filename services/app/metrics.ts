import { subscribe } from 'node:diagnostics_channel';
import type { Request, RequestHandler, Response } from 'express';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { CacheCounts, Result } from './cache/cache.ts';
import type { Config } from './config.ts';
import type { OriginBehavior } from './heartbeat/record.ts';

declare global {
  namespace Express {
    interface Request {
      /** By `performance.now()`, if the request is measured. */
      receivedAt?: number;
      /** How the cache lookup of the request ended. */
      cacheResult?: Result;
    }
  }
}

/** What the metrics of an instance show. */
export interface MetricsOptions {
  config: Config;
  instance: { name: string };
  cache: CacheCounts;
  /** How the origin behaves now. */
  origin: OriginBehavior;
}

/** The metrics of one instance, for Prometheus and the dashboard. */
export interface Metrics {
  /** Measures every request. */
  measure: RequestHandler;
  /** `GET /metrics`: Prometheus text. */
  expose: RequestHandler;
}

/** Sets up the metrics of one instance. */
export function createMetrics(options: MetricsOptions): Metrics {
  const { instance } = options;
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  measureRequests(registry);
  exposeCache(options.cache, registry);
  exposeSettings(options, registry);
  return {
    measure(req, _res, next) {
      req.receivedAt = performance.now();
      next();
    },
    async expose(_req, res) {
      registry.setDefaultLabels({ instance: instance.name });
      res.type(registry.contentType).send(await registry.metrics());
    },
  };
}

function measureRequests(registry: Registry): void {
  const duration = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'Time from a request to the end of its reply',
    labelNames: ['method', 'route', 'status', 'cache'],
    buckets: [
      0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5,
    ],
    registers: [registry],
  });
  // One listener for all replies; `res.once` would add one to each.
  subscribe('http.server.response.finish', (message) => {
    const { request: req, response: res } = message as { request: Request; response: Response };
    if (req.receivedAt === undefined) return;
    const labels = {
      method: req.method,
      // Never the path itself: a client could create a time series with each request.
      route: routeOf(req),
      status: res.statusCode,
      cache: req.cacheResult?.toLowerCase() ?? '',
    };
    duration.observe(labels, (performance.now() - req.receivedAt) / 1000);
  });
}

function routeOf({ route, params }: Request): string {
  if (typeof route?.path !== 'object') return route?.path ?? 'none';
  return params.key === undefined ? '/data' : '/data/:key'; // the fast path matches by RegExp
}

/** The cache counts for itself; its counters are copied when they are read. */
function exposeCache(counts: CacheCounts, registry: Registry): void {
  const registers = [registry];
  const expose = (name: string, help: string, read: () => number) => {
    new Counter({
      name,
      help,
      registers,
      collect() {
        this.reset();
        this.inc(read());
      },
    });
  };
  new Counter({
    name: 'cache_lookups_total',
    help: 'Lookups by result; hits by where they were found',
    labelNames: ['result'],
    registers,
    collect() {
      this.reset();
      for (const [result, count] of Object.entries(counts.lookups)) this.inc({ result }, count);
    },
  });
  expose('origin_calls_total', 'Calls of the origin', () => counts.originCalls);
  expose('origin_failures_total', 'Calls of the origin that failed', () => counts.originFailures);
  expose(
    'cache_lock_waits_total',
    'Loads that waited for another instance',
    () => counts.lockWaits,
  );
}

function exposeSettings({ config, origin }: MetricsOptions, registry: Registry): void {
  const registers = [registry];
  const switches = {
    session_store: config.SESSION_STORE,
    counter: config.COUNTER,
    idempotency: config.IDEMPOTENCY,
    cache: config.CACHE,
    cache_guard: config.CACHE_GUARD,
    fast_path: config.FAST_PATH,
  };
  new Gauge({
    name: 'app_switches_info',
    help: 'The settings that decide whether and how state is shared',
    labelNames: Object.keys(switches),
    registers,
  }).set(switches, 1);
  new Gauge({
    name: 'origin_delay_seconds',
    help: 'Delay of the simulated origin now',
    registers,
    collect() {
      this.set(origin.delayMs / 1000);
    },
  });
  new Gauge({
    name: 'origin_failure_ratio',
    help: 'Share of the calls that the simulated origin fails now',
    registers,
    collect() {
      this.set(origin.failurePercent / 100);
    },
  });
}
