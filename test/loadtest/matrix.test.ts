import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pLimit from 'p-limit';
import { afterAll, describe, expect, it } from 'vitest';
import { ROOT } from '../../tools/lib/root.mjs';
import { Stack } from '../../tools/stack/stack.ts';
import { BrokenSite } from '../support/broken-site.ts';
import { type LoadTest, loadTest } from '../support/load-test.ts';

// On the good site run all load tests. On a broken site run tests that fail there by the table in
// docs/loadtest.md: every second one, each on at least one site. Alone, after the other tests: some
// thresholds are about time.
// WRITE=1 npm test -- test/loadtest/matrix.test.ts runs all of them, and writes the table.

const DOCUMENT = join(ROOT, 'docs/loadtest.md');
const HEAD = '| site \\ exit code of | ';
const TEST_MS = 600_000;

/** Settings for a short run, with VUs for arrivals of half a second: the machine is busy. */
const SCRIPTS: Record<string, Record<string, string | number>> = {
  cache: { DURATION: '4s', RATE: 30, VUS: 18, HIT_MS: 60 },
  soak: { DURATION: '6s', RATE: 5, VUS: 10, LEAST_MS: 30 },
  breakpoint: { DURATION: '4s', STEPS: 4, MAX_RATE: 20, VUS: 15, VIEW_MS: 400 },
  stress: { DURATION: '4s', RATE: 5, VUS: 15 },
  spike: { DURATION: '4s', RATE: 3, VUS: 25 },
  stampede: { DURATION: '5s', RATE: 10, VUS: 20 },
  'average-load': { DURATION: '4s', VUS: 4 },
  continuity: { VISITORS: 20 },
  smoke: {},
  shop: { VUS: 4, VISITORS: 10, THINK_MS: 50 },
};
/** It kills instances, so it runs after the others. */
const LAST: typeof SCRIPTS = { failover: { DURATION: '5s', RATE: 3, KILLS: 1, VUS: 20 } };
const NAMES = [
  'smoke',
  'continuity',
  'average-load',
  'cache',
  'stampede',
  'shop',
  'stress',
  'spike',
  'soak',
  'breakpoint',
  'failover',
];

interface Broken {
  /** Settings of the instances. */
  env?: NodeJS.ProcessEnv;
  scale?: number;
  hasStack?: boolean;
  /** Further settings of this script. */
  soak?: Record<string, string>;
  /** A site in front of the stack or in its place. */
  site?: (url: string, script: string) => Promise<BrokenSite>;
  /** What the scripts that fail say: a threshold that was crossed, or an error. */
  reason: RegExp;
}

const SITES: Record<string, Broken> = {
  'as it should be': { reason: /^$/ },
  'a constant page': {
    hasStack: false,
    site: () => BrokenSite.constantPage(),
    reason: /is another program/,
  },
  'another program': {
    hasStack: false,
    site: () => BrokenSite.wrongProduct(),
    reason: /is another program/,
  },
  'hangs midway': {
    site: (url, script) => BrokenSite.hanging(url, { smoke: 20, cache: 300 }[script] ?? 60),
    reason: /request timeout|^dropped_iterations/m,
  },
  'one instance': { scale: 1, reason: /app-1 answered, not app-1, app-2, app-3/ },
  '`SESSION_STORE=memory`': { env: { SESSION_STORE: 'memory' }, reason: /^checks/m },
  '`COUNTER=session`': { env: { COUNTER: 'session' }, reason: /^checks/m },
  '`CACHE=off`': {
    env: { CACHE: 'off' },
    reason: /^(checks|hit_ratio|origin_calls_per_expiry|http_req_duration.name:data)/m,
  },
  '`CACHE_GUARD=off`': { env: { CACHE_GUARD: 'off' }, reason: /^origin_calls_per_expiry: max<=1/m },
  '1 % of the replies are 500': {
    site: (url) => BrokenSite.failing(url),
    reason: /^http_req_failed/m,
  },
  'slower by 10 ms each second': {
    soak: { DURATION: '15s' },
    site: (url) => BrokenSite.slowing(url),
    reason: /^(hit_duration|as_fast_as_at_first)/m,
  },
};

/** The share of the load tests that run on a broken site: one in so many. */
const SHARE = 2;

/** Every second name, beginning with another one on each site. */
function sample(names: string[], site: number): string[] {
  return names.length <= SHARE ? names : names.filter((_, i) => i % SHARE === site % SHARE);
}

const rows = new Map<string, string>();

/** Some wait most of the time, so two sites at a time take little longer than one. */
const sitesAtOnce = pLimit(2);
const scriptsAtOnce = pLimit(5);
/**
 * A script that must pass has its site to itself. nginx asks an instance last while it has a slow
 * request, so the slow requests of one script keep those of the others away from an instance.
 */
const oneScript = pLimit(1);

/** Runs load tests on a site. Resolves to their results by name. */
async function runAll(
  { env = {}, scale = 3, site, hasStack = true, soak = {} }: Broken,
  names: string[],
  limit: typeof oneScript,
): Promise<Record<string, LoadTest>> {
  const all = { ...process.env, FAULT_INJECTION: 'on', ORIGIN_DELAY_MS: '600', ...env };
  await using stack = hasStack ? await Stack.start({ scale, env: all }) : undefined;
  const run = async ([name, settings]: [string, Record<string, string | number>]) => {
    await using broken = await site?.(stack?.url ?? '', name);
    const BASE_URL = broken?.url ?? stack?.url ?? '';
    const own = name === 'soak' ? soak : {};
    return [name, await loadTest(name, { ...settings, ...own, BASE_URL })];
  };
  const of = (scripts: typeof SCRIPTS) =>
    Object.entries(scripts).filter(([name]) => names.includes(name));
  const results = await Promise.all(of(SCRIPTS).map((one) => limit(run, one)));
  for (const one of of(LAST)) results.push(await limit(run, one));
  return Object.fromEntries(results);
}

/** The exit codes by script in the row of a site. */
function codesIn(document: string, site: string): Record<string, string> {
  const row = document.split('\n').find((line) => line.startsWith(`| ${site} | `)) ?? '';
  const cells = row.split(' | ').slice(1);
  return Object.fromEntries(NAMES.map((name, at) => [name, cells[at]?.replace(' |', '') ?? '']));
}

describe('the load tests on a site', () => {
  const document = readFileSync(DOCUMENT, 'utf8');
  const isWhole = Boolean(process.env.WRITE);

  /** The load tests to run on a site. */
  function namesFor(site: string): string[] {
    const at = Object.keys(SITES).indexOf(site);
    const failing = NAMES.filter((one) => codesIn(document, site)[one] !== '0');
    return isWhole || at === 0 ? NAMES : sample(failing, at);
  }

  it('should see each load test fail', () => {
    const [, ...broken] = Object.keys(SITES);
    expect(new Set(broken.flatMap(namesFor))).toEqual(new Set(NAMES));
  });

  async function expectCodes(name: string, broken: Broken): Promise<void> {
    const said = codesIn(document, name);
    const names = namesFor(name);
    const mayPass = isWhole || names.some((one) => said[one] === '0');
    const results = await sitesAtOnce(runAll, broken, names, mayPass ? oneScript : scriptsAtOnce);
    const codes = Object.fromEntries(names.map((one) => [one, String(results[one]?.code)]));
    rows.set(name, `| ${[name, ...Object.values(codes)].join(' | ')} |`);
    for (const [script, { code, crossed, stdout, stderr }] of Object.entries(results)) {
      if (code === 0) continue;
      const why = `${crossed.join('\n')}\n${stderr}`;
      expect(why, `${script}: ${stdout}${stderr}`).toMatch(broken.reason);
    }
    if (!isWhole) expect(said).toMatchObject(codes);
  }

  const [good, ...others] = Object.entries(SITES);
  // By itself: there a slow reply would fail the test.
  it(
    'should exit with 0 if the site is as it should be',
    () => expectCodes(...(good as [string, Broken])),
    TEST_MS,
  );

  it.concurrent.each(others)('should exit as docs/loadtest.md says: %s', expectCodes, TEST_MS);

  afterAll(() => {
    if (!isWhole) return;
    const table = [
      `${HEAD}${NAMES.join(' | ')} |`,
      `|${' --- |'.repeat(NAMES.length + 1)}`,
      ...Object.keys(SITES).flatMap((name) => rows.get(name) ?? []),
    ];
    const isTable = (line: string) => line.startsWith('|');
    const lines = document.split('\n');
    const from = lines.findIndex((line) => line.startsWith(HEAD));
    const rest = lines.slice(from);
    lines.splice(
      from,
      rest.findIndex((line) => !isTable(line)),
      ...table,
    );
    writeFileSync(DOCUMENT, lines.join('\n'));
  });
});
