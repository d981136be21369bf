import { subscribe } from 'node:diagnostics_channel';
import type { Request, RequestHandler, Response } from 'express';
import { Counter, collectDefaultMetrics, Histogram, Registry } from 'prom-client';
import type { Identity } from '../shared/process/service.ts';
import type { CacheCounts } from './cache/cache.ts';

declare global {
  namespace Express {
    interface Request {
      /** By `performance.now()`, where it is measured. */
      receivedAt?: number;
    }
  }
}

/** The measurements of one instance. */
export interface Metrics {
  /** Times every request. */
  measure: RequestHandler;
  /** `GET /metrics`: the measurements as Prometheus text. */
  expose: RequestHandler;
}

/** Sets up the measurements of one instance; each carries its name. */
export function createMetrics(identity: Identity, cache: CacheCounts): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const duration = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'Time from a request to the end of its reply',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
    registers: [registry],
  });
  exposeCache(cache, registry);
  // One listener for all replies, where `res.once` would make one for each.
  subscribe('http.server.response.finish', (message) => {
    const { request: req, response: res } = message as { request: Request; response: Response };
    if (req.receivedAt === undefined) return;
    // Never the path itself: whoever asks for many paths would make many time series.
    const labels = { method: req.method, route: req.route?.path ?? 'none', status: res.statusCode };
    duration.observe(labels, (performance.now() - req.receivedAt) / 1000);
  });
  return {
    measure(req, _res, next) {
      req.receivedAt = performance.now();
      next();
    },
    async expose(_req, res) {
      registry.setDefaultLabels({ instance: identity.name });
      res.type(registry.contentType).send(await registry.metrics());
    },
  };
}

/** What the cache counts for itself is read when somebody asks for it. */
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
    help: 'Lookups by how they ended: hits in this process and in Redis, and the others',
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
