import { addBuckets, type Buckets } from './histogram.ts';
import { parsePrometheusText, type Series } from './prometheus-text.ts';
import type { CacheTotals, Switches } from './protocol.ts';

/** What one scrape of `/metrics` says about an instance. All counts are since its start. */
export interface Sample {
  /** By `performance.now()` of this process. */
  at: number;
  /** Start of the process in seconds since 1970; differs after a restart. */
  startedAt: number;
  memoryBytes: number;
  latency: Record<RequestKind, Buckets>;
  cache: CacheTotals;
  switches: Switches;
  origin: { delayMs: number; failurePercent: number };
}

const REQUEST_KINDS = ['all', 'views', 'hits', 'misses'] as const;
export type RequestKind = (typeof REQUEST_KINDS)[number];

const PROBES = ['/livez', '/readyz', '/metrics'];

/** Which kinds of request a series of `http_request_duration_seconds` counts. */
const IS_OF_KIND: Record<RequestKind, (labels: Series['labels']) => boolean> = {
  all: ({ route = '' }) => !PROBES.includes(route),
  views: ({ method, route, status }) => method === 'GET' && route === '/' && status === '200',
  hits: ({ cache = '' }) => ['hit', 'stale'].includes(cache),
  misses: ({ cache = '' }) => ['miss', 'bypass'].includes(cache),
};

/** Reads the reply of `/metrics`. */
export function sampleOf(text: string): Sample {
  const all = parsePrometheusText(text);
  const durations = all.filter(({ name }) => name === 'http_request_duration_seconds_bucket');
  const latencyOf = (kind: RequestKind) => {
    const buckets: Buckets = new Map();
    for (const { labels, value } of durations) {
      if (IS_OF_KIND[kind](labels)) {
        addBuckets(buckets, new Map([[Number(labels.le?.replace('Inf', 'Infinity')), value]]));
      }
    }
    return buckets;
  };
  const read = (name: string, result?: string) =>
    all.find((series) => series.name === name && series.labels.result === result)?.value ?? 0;
  const lookups = (result: string) => read('cache_lookups_total', result);
  const { instance: _, ...switches } =
    all.find(({ name }) => name === 'app_switches_info')?.labels ?? {};
  return {
    at: performance.now(),
    startedAt: read('process_start_time_seconds'),
    memoryBytes: read('process_resident_memory_bytes'),
    latency: {
      all: latencyOf('all'),
      views: latencyOf('views'),
      hits: latencyOf('hits'),
      misses: latencyOf('misses'),
    },
    cache: {
      localHits: lookups('local'),
      redisHits: lookups('redis'),
      sharedLoads: lookups('collapsed'),
      stale: lookups('stale'),
      misses: lookups('miss'),
      bypasses: lookups('bypass'),
      originCalls: read('origin_calls_total'),
      originFailures: read('origin_failures_total'),
    },
    switches: Object.fromEntries(
      Object.entries(switches).map(([name, value]) => [name.toUpperCase(), value]),
    ),
    origin: {
      delayMs: Math.round(read('origin_delay_seconds') * 1000),
      failurePercent: Math.round(read('origin_failure_ratio') * 100),
    },
  };
}
