import { subscribe } from 'node:diagnostics_channel';
import type { Request, RequestHandler, Response } from 'express';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { Evictions } from '../shared/process/evictions.ts';
import { exposeMetrics, processMetrics } from '../shared/process/metrics.ts';
import { routeOf } from '../shared/process/route.ts';
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

/** Routes of which no visitor notices that they fail. */
const PROBES = ['/livez', '/readyz', '/metrics'];

/** What the metrics of an instance show. */
export interface MetricsOptions {
  config: Config;
  instance: { name: string };
  cache: CacheCounts;
  redis: { readonly isReady: boolean };
  /** Of idempotency keys. */
  evictions: Evictions;
  /** How the origin behaves now. */
  origin: OriginBehavior;
}

/**
 * Sets up the metrics of one instance, for Prometheus and the dashboard.
 *
 * @returns `measure` times every request; `expose` is the handler of `GET /metrics`
 */
export function createMetrics(options: MetricsOptions) {
  const registry = processMetrics(options.instance);
  measureRequests(registry);
  exposeCounts(options, registry);
  exposeState(options, registry);
  const measure: RequestHandler = (req, _res, next) => {
    req.receivedAt = performance.now();
    next();
  };
  return { measure, expose: exposeMetrics(registry) };
}

function measureRequests(registry: Registry): void {
  const classes: Record<string, number> = { '2xx': 0, '3xx': 0, '4xx': 0, '5xx': 0 };
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
    const { method, cacheResult = '' } = req;
    // The route, never the path: a client could create a time series with each request.
    const labels = {
      method,
      route: routeOf(req) ?? 'none',
      status: res.statusCode,
      cache: cacheResult.toLowerCase(),
    };
    duration.observe(labels, (performance.now() - req.receivedAt) / 1000);
    if (PROBES.includes(labels.route)) return;
    const statusClass = `${Math.floor(res.statusCode / 100)}xx`;
    classes[statusClass] = (classes[statusClass] ?? 0) + 1;
  });
  // All classes are there from the start: Prometheus sees no increase in a series that is new.
  const help = 'Requests other than probes, by the class of their status';
  countByLabel(registry, { name: 'http_requests_total', help, label: 'class', counts: classes });
}

/** These parts count for themselves; their counters are copied when they are read. */
function exposeCounts({ cache, evictions }: MetricsOptions, registry: Registry): void {
  const registers = [registry];
  const counter = (name: string, help: string, read: () => number) =>
    new Counter({
      name,
      help,
      registers,
      collect() {
        this.reset();
        this.inc(read());
      },
    });
  counter('origin_calls_total', 'Calls of the origin', () => cache.originCalls);
  counter('origin_failures_total', 'Failed calls of the origin', () => cache.originFailures);
  counter('cache_lock_waits_total', 'Loads that waited for another one', () => cache.lockWaits);
  const help = 'Lookups by result; hits by the level that had the entry';
  const counts = cache.lookups;
  countByLabel(registry, { name: 'cache_lookups_total', help, label: 'result', counts });
  counter(
    'idempotency_keys_evicted_total',
    'Sets of idempotency keys that Redis evicted; all instances see the same',
    () => evictions.count,
  );
}

/** A counter with a series for each of some counts, which are copied when they are read. */
function countByLabel(
  registry: Registry,
  options: { name: string; help: string; label: string; counts: Record<string, number> },
): void {
  const { name, help, label, counts } = options;
  new Counter({
    name,
    help,
    labelNames: [label],
    registers: [registry],
    collect() {
      this.reset();
      for (const [value, count] of Object.entries(counts)) this.inc({ [label]: value }, count);
    },
  });
}

function exposeState({ config, origin, redis }: MetricsOptions, registry: Registry): void {
  const registers = [registry];
  const gauge = (name: string, help: string, read: () => number) =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
  gauge('origin_delay_seconds', 'Delay of the origin now', () => origin.delayMs / 1000);
  gauge('origin_failure_ratio', 'Failing calls of the origin', () => origin.failurePercent / 100);
  gauge('redis_connected', 'Whether Redis answers this instance', () => Number(redis.isReady));
  const switches = {
    session_store: config.SESSION_STORE,
    counter: config.COUNTER,
    idempotency: config.IDEMPOTENCY,
    cache: config.CACHE,
    cache_guard: config.CACHE_GUARD,
  };
  const help = 'The settings that decide whether and how state is shared';
  const labelNames = Object.keys(switches);
  new Gauge({ name: 'app_switches_info', help, labelNames, registers }).set(switches, 1);
}
