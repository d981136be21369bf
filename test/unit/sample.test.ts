import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { parsePrometheusText } from '../../services/dashboard/prometheus-text.ts';
import { sampleOf } from '../../services/dashboard/sample.ts';

describe('parsePrometheusText', () => {
  it('should read names, labels and values, and skip comments and malformed lines', () => {
    const text = `# HELP http_requests_total Requests
# TYPE http_requests_total counter
http_requests_total{method="post",code="200"} 1027 1395066363000
metric_without_labels 12.47
escaped{path="C:\\\\DIR\\\\",error="Cannot find file:\\n\\"FILE.TXT\\""} 1.458255915e9
bucket{le="+Inf"} +Inf
negative -3.5

this is not a series
`;
    expect(parsePrometheusText(text)).toEqual([
      { name: 'http_requests_total', labels: { method: 'post', code: '200' }, value: 1027 },
      { name: 'metric_without_labels', labels: {}, value: 12.47 },
      {
        name: 'escaped',
        labels: { path: 'C:\\DIR\\', error: 'Cannot find file:\n"FILE.TXT"' },
        value: 1.458255915e9,
      },
      { name: 'bucket', labels: { le: '+Inf' }, value: Infinity },
      { name: 'negative', labels: {}, value: -3.5 },
    ]);
  });

  it('should read what prom-client writes', async () => {
    const registry = new Registry();
    registry.setDefaultLabels({ instance: 'app-1' });
    const registers = [registry];
    const value = 'a "quoted" \\ word\nand a line';
    new Counter({ name: 'c_total', help: '-', labelNames: ['x'], registers }).inc({ x: value }, 3);
    new Gauge({ name: 'g', help: '-', registers }).set(-0.25);
    new Histogram({ name: 'h', help: '-', buckets: [0.5], registers }).observe(0.1);
    const series = parsePrometheusText(await registry.metrics());
    expect(series).toContainEqual({
      name: 'c_total',
      labels: { x: value, instance: 'app-1' },
      value: 3,
    });
    expect(series).toContainEqual({ name: 'g', labels: { instance: 'app-1' }, value: -0.25 });
    expect(series).toContainEqual({
      name: 'h_bucket',
      labels: { le: '0.5', instance: 'app-1' },
      value: 1,
    });
  });
});

describe('sampleOf', () => {
  it('should separate the kinds of requests and leave out probes', () => {
    const bucket = (labels: string, count: number) =>
      `http_request_duration_seconds_bucket{le="+Inf",${labels}} ${count}\n`;
    const { latency } = sampleOf(
      bucket('method="GET",route="/",status="200",cache=""', 1) +
        bucket('method="GET",route="/",status="503",cache=""', 2) +
        bucket('method="GET",route="/data",status="200",cache="hit"', 4) +
        bucket('method="GET",route="/data/:key",status="200",cache="stale"', 8) +
        bucket('method="GET",route="/data",status="200",cache="miss"', 16) +
        bucket('method="GET",route="/data",status="200",cache="bypass"', 32) +
        bucket('method="POST",route="/cart",status="200",cache=""', 64) +
        bucket('method="GET",route="none",status="404",cache=""', 128) +
        bucket('method="GET",route="/livez",status="200",cache=""', 1000) +
        bucket('method="GET",route="/readyz",status="200",cache=""', 1000) +
        bucket('method="GET",route="/metrics",status="200",cache=""', 1000),
    );
    const counts = Object.entries(latency).map(([kind, buckets]) => [kind, buckets.get(Infinity)]);
    expect(Object.fromEntries(counts)).toEqual({ all: 255, views: 1, hits: 12, misses: 48 });
  });

  it('should read the origin, the switches and the counts of the cache', () => {
    const sample = sampleOf(`process_start_time_seconds{instance="app-1"} 1700000000
process_resident_memory_bytes{instance="app-1"} 123456
origin_delay_seconds{instance="app-1"} 0.05
origin_failure_ratio{instance="app-1"} 0.07
cache_lookups_total{result="local",instance="app-1"} 5
cache_lookups_total{result="collapsed",instance="app-1"} 6
origin_calls_total{instance="app-1"} 7
app_switches_info{session_store="redis",cache="off",instance="app-1"} 1
`);
    expect(sample).toMatchObject({
      startedAt: 1_700_000_000,
      memoryBytes: 123_456,
      origin: { delayMs: 50, failurePercent: 7 },
      cache: { localHits: 5, sharedLoads: 6, redisHits: 0, originCalls: 7, originFailures: 0 },
      switches: { SESSION_STORE: 'redis', CACHE: 'off' },
    });
    expect(sample.switches).not.toHaveProperty('INSTANCE');
  });
});
