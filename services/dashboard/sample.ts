import type { OriginBehavior } from '../app/heartbeat/record.ts';
import { addBuckets, type Buckets } from './histogram.ts';
import { parsePrometheusText, type Series } from './prometheus-text.ts';
import type { CacheTotals, Switches } from './protocol.ts';

/** The result of scraping `/metrics` of an instance. All counts are since its start. */
export interface Sample {
  /** By `performance.now()` of this process. */
  at: number;
  /** Start of the process in seconds since 1970; differs after a restart. */
  startedAt: number;
  memoryBytes: number;
  latency: Record<RequestKind, Buckets>;
  cache: CacheTotals;
  switches: Switches;
  origin: OriginBehavior;
}

export type RequestKind = 'all' | 'views' | 'hits' | 'misses';

const PROBES = ['/livez', '/readyz', '/metrics'];

/** Which series of `http_request_duration_seconds` belong to a kind. */
const IS_OF_KIND: Record<RequestKind, (labels: Series['labels']) => boolean> = {
  all: ({ route = '' }) => !PROBES.includes(route),
  views: ({ method, route, status }) => method === 'GET' && route === '/' && status === '200',
  hits: ({ cache = '' }) => ['hit', 'stale'].includes(cache),
  misses: ({ cache = '' }) => ['miss', 'bypass'].includes(cache),
};

/** The series of each total, and its label `result`. */
const CACHE_SERIES: Record<keyof CacheTotals, [name: string, result?: string]> = {
  localHits: ['cache_lookups_total', 'local'],
  redisHits: ['cache_lookups_total', 'redis'],
  sharedLoads: ['cache_lookups_total', 'collapsed'],
  stale: ['cache_lookups_total', 'stale'],
  misses: ['cache_lookups_total', 'miss'],
  bypasses: ['cache_lookups_total', 'bypass'],
  originCalls: ['origin_calls_total'],
  originFailures: ['origin_failures_total'],
};

/** Calls a function with the name of each total. */
export function mapTotals(totalOf: (name: keyof CacheTotals) => number): CacheTotals {
  const names = Object.keys(CACHE_SERIES) as (keyof CacheTotals)[];
  return Object.fromEntries(names.map((name) => [name, totalOf(name)])) as unknown as CacheTotals;
}

/** Reads the reply of `/metrics`. */
export function sampleOf(text: string): Sample {
  const all = parsePrometheusText(text);
  const read = (name: string, result?: string) =>
    all.find((series) => series.name === name && series.labels.result === result)?.value ?? 0;
  const latency = { all: new Map(), views: new Map(), hits: new Map(), misses: new Map() };
  for (const { name, labels, value } of all) {
    if (name !== 'http_request_duration_seconds_bucket') continue;
    const bound = Number(labels.le?.replace('Inf', 'Infinity'));
    for (const kind of Object.keys(latency) as RequestKind[]) {
      if (IS_OF_KIND[kind](labels)) addBuckets(latency[kind], new Map([[bound, value]]));
    }
  }
  const switches = all.find(({ name }) => name === 'app_switches_info')?.labels ?? {};
  const { INSTANCE: _, ...settings } = Object.fromEntries(
    Object.entries(switches).map(([name, value]) => [name.toUpperCase(), value]),
  );
  return {
    at: performance.now(),
    startedAt: read('process_start_time_seconds'),
    memoryBytes: read('process_resident_memory_bytes'),
    latency,
    cache: mapTotals((name) => read(...CACHE_SERIES[name])),
    switches: settings,
    origin: {
      delayMs: Math.round(read('origin_delay_seconds') * 1000),
      failurePercent: Math.round(read('origin_failure_ratio') * 100),
    },
  };
}
