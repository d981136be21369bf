import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { variables } from '../../services/app/config.ts';
import {
  FAULT_TTL_MS,
  HEARTBEAT_MS,
  HEARTBEAT_TTL_MS,
} from '../../services/app/heartbeat/record.ts';
import { CHECK_MS } from '../../services/app/live/messages.ts';
import { VALUES } from '../../services/dashboard/page/switches-panel.js';
import { switchesBody } from '../../services/dashboard/routes/stack.ts';
import { MAX_AGE_MS } from '../../services/shared/http/idempotency.ts';
import { commonVariables } from '../../services/shared/process/config.ts';
import { KEEP_ALIVE_MS, MAX_HEADERS_KB } from '../../services/shared/process/server.ts';
import { CLOSE_REDIS_MS, DRAIN_MS } from '../../services/shared/process/service.ts';
import { APPLIED_SECONDS, APPLIED_TTL_SECONDS } from '../../services/shared/session/scripts.ts';
import { BACKLOG } from '../../tools/capacity/describe.ts';
import { MEMORY_PLANNED } from '../../tools/capacity/model.ts';
import { ROOT } from '../../tools/lib/root.mjs';
import { NODE_OPTIONS } from '../../tools/stack/instance.ts';
import { STOP_MS } from '../../tools/stack/managed-process.ts';

/** Every value that a file gives a setting; a file without one fails the test. */
function valuesIn(file: string, pattern: RegExp): string[] {
  const found = readFileSync(join(ROOT, file), 'utf8').matchAll(new RegExp(pattern, 'gm'));
  const values = [...found].map(([, value = '']) => value);
  expect(values, `${pattern} in ${file}`).not.toEqual([]);
  return values;
}

/** The value that a file gives a setting exactly once. */
function valueIn(file: string, pattern: RegExp): string {
  const [value = '', ...others] = valuesIn(file, pattern);
  expect(others, `${pattern} in ${file}`).toEqual([]);
  return value;
}

/** Reads `1800ms`, `4s` or `7k`: milliseconds or bytes. */
function amount(text: string): number {
  const [, number, unit = ''] = /^(\d+)(ms|s|k)$/.exec(text) ?? [];
  const factor = { ms: 1, s: 1000, k: 1024 }[unit];
  if (!factor) throw new Error(`${text} has no known unit`);
  return Number(number) * factor;
}

/** A number that a file of code names. */
function constant(file: string, name: string): number {
  const text = valueIn(file, new RegExp(`^(?:export )?const ${name} = ([\\d_]+);`));
  return Number(text.replaceAll('_', ''));
}

function expectAscending(values: number[]): void {
  for (const value of values) expect(value).toBeGreaterThan(0);
  expect(values).toEqual([...new Set(values)].sort((a, b) => a - b));
}

describe('the constants', () => {
  const nginx = (setting: string, indent = '\\s*') =>
    amount(valueIn('nginx/nginx.conf', new RegExp(`^${indent}${setting} (\\w+);`)));
  const [ofServer, ofLocation] = [' {8}', ' {12}'];

  it('should let an instance answer before nginx tries another, and nginx try at least two', () => {
    const { REQUEST_TIMEOUT_MS } = commonVariables.parse({});
    const tryMs = nginx('proxy_read_timeout', ofServer);
    expectAscending([REQUEST_TIMEOUT_MS, tryMs, nginx('proxy_next_upstream_timeout', ofServer)]);
    expect(nginx('proxy_next_upstream_timeout', ofServer)).toBeGreaterThan(2 * tryMs);
  });

  it('should check a WebSocket twice before nginx gives it up', () => {
    expectAscending([2 * CHECK_MS, nginx('proxy_read_timeout', ofLocation)]);
  });

  it.each(['nginx/compose/upstream.conf', 'tools/stack/nginx.ts'])(
    'should close an idle connection in nginx before Node does (%s)',
    (file) => {
      for (const text of valuesIn(file, /keepalive_timeout (\w+);/)) {
        expectAscending([amount(text), KEEP_ALIVE_MS]);
      }
    },
  );

  it('should close an idle connection in nginx before the minimal program does', () => {
    const minimalMs = valueIn('services/minimal/main.ts', /^server\.keepAliveTimeout = ([\d_]+);/);
    expect(Number(minimalMs.replaceAll('_', ''))).toBe(KEEP_ALIVE_MS);
  });

  it('should remember an applied request for longer than it can arrive again', () => {
    const { CACHE_TTL_SECONDS } = variables.parse({});
    const roundMs = nginx('proxy_next_upstream_timeout', ofServer) + nginx('proxy_connect_timeout');
    const firstRoundMs = roundMs + nginx('proxy_read_timeout', ofServer);
    // The second round, in @again, has a time of its own. Clocks may differ by MAX_AGE_MS.
    const retriedMs = firstRoundMs + 2 * MAX_AGE_MS;
    expectAscending([roundMs, MAX_AGE_MS, retriedMs, APPLIED_SECONDS * 1000]);
    const cachedSeconds = 1.5 * CACHE_TTL_SECONDS;
    expectAscending([2 * APPLIED_SECONDS + cachedSeconds, APPLIED_TTL_SECONDS]);
  });

  it('should let an instance drain before the stack or Compose kills it', () => {
    const composeMs = amount(valueIn('docker-compose.yml', /^\s*stop_grace_period: (\w+)$/));
    expectAscending([DRAIN_MS, DRAIN_MS + CLOSE_REDIS_MS, STOP_MS, composeMs]);
  });

  it('should refuse large headers in nginx before Node does', () => {
    const pattern = /^\s*large_client_header_buffers (\d+ \w+);/;
    const [count, size = ''] = valueIn('nginx/nginx.conf', pattern).split(' ');
    expectAscending([Number(count) * amount(size), MAX_HEADERS_KB * 1024]);
  });

  it('should run Node with the same options in a container', () => {
    expect(valueIn('services/app/Dockerfile', /^ENV NODE_OPTIONS="(.+)"$/)).toBe(NODE_OPTIONS);
  });

  it('should allow the values of a switch that the app allows', () => {
    for (const [name, values] of Object.entries(switchesBody.shape)) {
      const allowed = values.unwrap().options.join(' or ');
      expect(variables.shape[name as keyof typeof switchesBody.shape].meta()?.allowed).toBe(
        allowed,
      );
      expect(VALUES[name]).toEqual(values.unwrap().options);
    }
    expect(Object.keys(VALUES)).toEqual(Object.keys(switchesBody.shape));
  });

  it('should survive lost heartbeats, and deliver a fault with the next one', () => {
    expectAscending([3 * HEARTBEAT_MS, HEARTBEAT_TTL_MS]);
    expectAscending([HEARTBEAT_MS, FAULT_TTL_MS]);
  });

  it('should poll Redis and instances more often than the dashboard expects', () => {
    const dashboard = (file: string, name: string) => constant(`services/dashboard/${file}`, name);
    const pollMs = dashboard('monitor.ts', 'TICK_MS');
    const scrapeMs = pollMs * dashboard('monitor.ts', 'TICKS_PER_SCRAPE');
    expectAscending([dashboard('monitor.ts', 'POLL_PATIENCE_MS'), pollMs]);
    expectAscending([pollMs, dashboard('scripts.ts', 'MAX_GAP_MS'), HEARTBEAT_TTL_MS]);
    expectAscending([2 * pollMs, dashboard('page/event-stream.js', 'SILENT_MS')]);
    expectAscending([dashboard('instances.ts', 'SCRAPE_TIMEOUT_MS'), scrapeMs]);
    expectAscending([2 * scrapeMs, dashboard('instances.ts', 'WINDOW_MS')]);
  });

  it('should calculate capacity with the limits of this system', () => {
    const scripts = 'services/shared/session/scripts.ts';
    const share = valueIn(scripts, /^const REQUIRE_HEADROOM = requireHeadroom\(([\d.]+),/);
    expect(Number(share)).toBe(MEMORY_PLANNED);
    const backlog = valueIn('tools/stack/redis-topology.ts', /'repl-backlog-size (\d+)mb'/);
    expect(Number(backlog) * 2 ** 20).toBe(BACKLOG);
  });

  it('should keep a participant while the page connects again', () => {
    const retryMs = constant('services/dashboard/page/event-stream.js', 'RETRY_MS');
    expectAscending([retryMs, constant('services/dashboard/scripts.ts', 'LEASE_MS')]);
  });
});
