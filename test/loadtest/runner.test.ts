import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../tools/lib/eventually.ts';
import { ROOT } from '../../tools/lib/root.mjs';
import { HEAD_LINES, outcomeOf, runScript, startScript, Target } from '../support/load-runner.ts';

// Expected values are from the documentation of k6.
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'shared-state-runner-test-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const scenario = (options: object, more: object = {}) =>
  `export const options = ${JSON.stringify({ scenarios: { all: options }, ...more })};`;
const ONCE = scenario({ executor: 'shared-iterations', iterations: 1 });
const range = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, i) => first + i);

describe.concurrent('executors', () => {
  it('shared-iterations should divide the iterations among the VUs, each once', async () => {
    await using server = await Target.start();
    const options = scenario({ executor: 'shared-iterations', vus: 3, iterations: 7 });
    const { code, value } = await runScript(
      `${options} export default () => {
        note([exec.scenario.iterationInTest, __VU, __ITER]); get('/delay/50');
      }`,
      { server },
    );
    expect(code).toBe(0);
    expect(server.notes.map(([iteration]) => iteration).sort()).toEqual(range(0, 6));
    expect(new Set(server.notes.map(([, vu]) => vu))).toEqual(new Set([1, 2, 3]));
    expect(server.notes.filter(([, , iteration]) => iteration === 0)).toHaveLength(3);
    expect(value('iterations', 'count')).toBe(7);
  });

  it('shared-iterations should drop what has not started after maxDuration', async () => {
    const options = { executor: 'shared-iterations', iterations: 100, maxDuration: '1s' };
    const { value } = await runScript(`${scenario(options)} export default () => sleep(0.6);`);
    expect(value('iterations', 'count')).toBe(2);
    expect(value('dropped_iterations', 'count')).toBe(98);
  });

  it('constant-vus should repeat with all VUs until the time is over', async () => {
    await using server = await Target.start();
    const options = scenario({ executor: 'constant-vus', vus: 3, duration: '1s' });
    const { value } = await runScript(`${options} export default () => { get('/delay/100'); }`, {
      server,
    });
    expect(server.mostAtOnce).toBe(3);
    expect(value('iterations', 'count')).toBeGreaterThan(9);
    expect(value('iterations', 'count')).toBeLessThanOrEqual(33);
  });

  it('ramping-vus should follow its stages', async () => {
    await using server = await Target.start();
    const stages = [
      { duration: '1s', target: 4 },
      { duration: '1s', target: 0 },
    ];
    const options = scenario({ executor: 'ramping-vus', startVUs: 1, stages });
    await runScript(`${options} export default () => { get('/delay/100'); }`, { server });
    expect(server.mostAtOnce).toBeGreaterThanOrEqual(3);
    expect(server.mostAtOnce).toBeLessThanOrEqual(4);
    expect(server.arrivals.length).toBeLessThan(4 * 20);
  });

  it('constant-arrival-rate should start iterations evenly, however long they take', async () => {
    await using server = await Target.start();
    const arrivals = {
      executor: 'constant-arrival-rate',
      rate: 20,
      duration: '2s',
      preAllocatedVUs: 15,
    };
    const { value } = await runScript(
      `${scenario(arrivals)} export default () => { get('/delay/500'); }`,
      { server },
    );
    // A busy machine may drop some.
    const dropped = value('dropped_iterations', 'count') ?? 0;
    const count = (value('iterations', 'count') ?? 0) + dropped;
    expect(count).toBeGreaterThanOrEqual(40);
    expect(count).toBeLessThanOrEqual(41);
    const at = server.arrivals.map((one) => one.at);
    const gaps = at.slice(1).map((one, i) => one - (at[i] ?? 0));
    const middle = gaps.sort((a, b) => a - b)[Math.floor(gaps.length / 2)] ?? 0;
    expect(middle).toBeGreaterThan(30);
    expect(middle).toBeLessThan(70);
  });

  it('ramping-arrival-rate should start as many as the area under its rate', async () => {
    const stages = [
      { duration: '2s', target: 30 },
      { duration: '0s', target: 5 },
      { duration: '1s', target: 5 },
    ];
    const arrivals = {
      executor: 'ramping-arrival-rate',
      startRate: 10,
      stages,
      preAllocatedVUs: 5,
    };
    const { value } = await runScript(`${scenario(arrivals)} export default () => {};`);
    const count = (value('iterations', 'count') ?? 0) + (value('dropped_iterations', 'count') ?? 0);
    expect(Math.abs(count - (2 * 20 + 5))).toBeLessThanOrEqual(1);
  });

  it('should drop arrivals for which no VU is free, and say so once', async () => {
    const arrivals = {
      executor: 'constant-arrival-rate',
      rate: 10,
      duration: '1s',
      preAllocatedVUs: 1,
    };
    const { value, stderr } = await runScript(
      `${scenario(arrivals)} export default () => sleep(0.45);`,
    );
    const [made = 0, dropped = 0] = [
      value('iterations', 'count'),
      value('dropped_iterations', 'count'),
    ];
    expect(made).toBeGreaterThanOrEqual(1);
    expect(made).toBeLessThanOrEqual(3);
    expect(Math.abs(made + dropped - 10)).toBeLessThanOrEqual(1);
    expect(stderr.match(/insufficient VUs/g)).toHaveLength(1);
  });
});

describe.concurrent('requests', () => {
  it('should show status, headers, JSON, duration and errors, and count them', async () => {
    await using server = await Target.start();
    const { value, stderr } = await runScript(
      `${ONCE} export default () => {
        const json = get('/json');
        note([json.status, json.headers['X-Two-Words'], json.json('items.1.id'), json.error]);
        note(get('/delay/300').timings.duration >= 300);
        for (const path of ['/status/404', '/reset', '/redirect']) note([get(path).status, get(path).error]);
        note(get('/silent', '1s').error);
      }`,
      { server },
    );
    expect(server.notes).toEqual([
      [200, 'seen', 8, ''],
      true,
      [404, ''],
      [0, expect.stringMatching(/hang up|ECONNRESET/)],
      [0, expect.stringContaining('redirects to /json, which only k6 follows')],
      'request timeout',
    ]);
    expect(stderr).toContain(`GET ${server.url}/silent: request timeout`);
    expect(value('http_req_failed', 'passes')).toBe(7);
    expect(value('http_req_failed', 'fails')).toBe(2 + 6);
  });

  it('should keep cookies for one iteration of one VU, until they expire', async () => {
    await using server = await Target.start();
    const options = scenario({ executor: 'shared-iterations', vus: 1, iterations: 2 });
    const cookie = (line: string) => `get('/cookie/${encodeURIComponent(line)}');`;
    await runScript(
      `${options} export default () => {
        ${cookie('a=1; Path=/; HttpOnly')} ${cookie('b=x=y; Expires=Wed, 01 Jan 2099 00:00:00 GMT')}
        get('/with'); ${cookie('a=; Expires=Thu, 01 Jan 1970 00:00:00 GMT')} get('/without');
      }`,
      { server },
    );
    const seen = (path: string) => server.to(path).map(({ headers }) => headers.cookie);
    expect(seen('/with')).toEqual(['a=1; b=x=y', 'a=1; b=x=y']);
    expect(seen('/without')).toEqual(['b=x=y', 'b=x=y']);
    expect(server.arrivals.map(({ headers }) => headers.cookie)[0]).toBe(undefined);
    expect(server.arrivals.map(({ headers }) => headers.cookie)[5]).toBe(undefined);
  });

  it('should be sent six at a time in a batch, and answered in order', async () => {
    await using server = await Target.start();
    await runScript(
      `${ONCE} export default () => {
        const paths = ['/delay/300', '/json', ...Array(18).fill('/delay/100')];
        note(batch(...paths.map((path) => request(path))).map((reply) => reply.json('late') ?? false));
      }`,
      { server },
    );
    expect(server.mostAtOnce).toBe(6);
    expect(server.notes[0]).toEqual([true, false, ...Array(18).fill(true)]);
  });

  it('should accept any certificate only if asked to', async () => {
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    const words = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];
    const files = ['-nodes', '-subj', '/CN=localhost', '-keyout', key, '-out', cert];
    execFileSync('openssl', [...words, ...files], { stdio: 'ignore' });
    const server = createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (_req, res) =>
      res.end('{}'),
    );
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `https://localhost:${(server.address() as AddressInfo).port}`;
    const script = `${ONCE} export default () => { console.log('status', get('/').status); }`;
    const run = (args: string[], env = {}) => runScript(script, { args, env, server: { url } });
    try {
      expect((await run([])).stderr).toContain('info: status 0');
      expect((await run(['--insecure-skip-tls-verify'])).stderr).toContain('info: status 200');
      const env = { K6_INSECURE_SKIP_TLS_VERIFY: 'true' };
      expect((await run([], env)).stderr).toContain('info: status 200');
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });
});

describe.concurrent('the life cycle', () => {
  it('should pass a fresh copy of the data of setup to each iteration', async () => {
    await using server = await Target.start();
    const options = scenario({ executor: 'shared-iterations', vus: 2, iterations: 4 });
    await runScript(
      `${options} export const setup = () => { note('setup'); return { list: [1] }; };
      export default (data) => { data.list.push(2); note(data.list); };`,
      { server },
    );
    expect(server.notes).toEqual(['setup', ...Array(4).fill([1, 2])]);
  });

  it('should log an exception with its place, and go on', async () => {
    const options = scenario({ executor: 'shared-iterations', iterations: 2 });
    const { code, stderr, value } = await runScript(`${options}
      export default () => { inner(); };
      function inner(): never {
        throw new Error('at once');
      }`);
    expect(code).toBe(0);
    expect(value('iterations', 'count')).toBe(2);
    expect(stderr.match(/error: Error: at once/g)).toHaveLength(2);
    expect(stderr).toContain(`script.ts:${HEAD_LINES + 4}:15`);
    expect(stderr).not.toContain('vu.mjs');
  });

  it.each([
    ['setup throws', `export const setup = () => fail('not this site');`, 'not this site'],
    ['the init code throws', `throw new Error('not now');`, 'not now'],
    ['the init code sends a request', `get('/');`, 'requests cannot be made in the init context'],
    ['a module is unknown', `import 'k6/ws';`, 'ws'],
    ['an import is unknown', `import { randomSeed } from 'k6';`, 'randomSeed'],
  ])('should end with 107 if %s', async (_, source, message) => {
    const { code, stderr } = await runScript(`${source} ${ONCE} export default () => note(1);`);
    expect(stderr).toContain(message);
    expect(code).toBe(107);
  });

  it.each([
    ['SIGINT', 105],
    ['SIGTERM', 105],
  ] as const)(
    'should end with a summary at %s, and send nothing more',
    async (signal, expected) => {
      await using server = await Target.start();
      const own = mkdtempSync(join(folder, 'signal-'));
      const options = scenario({ executor: 'constant-vus', vus: 2, duration: '60s' });
      const script = `${options} export default () => { get('/silent', '60s'); };`;
      await using running = startScript(own, script, { server });
      await eventually(() => expect(server.arrivals).toHaveLength(2), 20_000);
      const before = performance.now();
      running.child.kill(signal);
      const { code, value } = outcomeOf(await running.ended);
      expect(code).toBe(expected);
      expect(performance.now() - before).toBeLessThan(10_000); // not the 60 s of the requests
      expect(value('iterations', 'count')).toBe(undefined);
      expect(server.arrivals).toHaveLength(2);
    },
  );
});

describe.concurrent('metrics and thresholds', () => {
  it('should have the figures of k6', async () => {
    const { value, summary } = await runScript(`
      const time = new Trend('time', true); const sold = new Counter('sold'); const won = new Rate('won');
      export const options = { scenarios: { all: { executor: 'shared-iterations', iterations: 1 } },
        thresholds: { 'sold{item:tea}': ['count==3'] } };
      export default () => {
        for (const ms of [10, 1, 2, 3, 4, 5, 6, 7, 8, 9]) time.add(ms);
        sold.add(3, { item: 'tea' }); sold.add(2, { item: 'mate' });
        for (const isWon of [true, false, false, 1]) won.add(isWon);
        check(5, { odd: (n) => n % 2 === 1, even: (n) => n % 2 === 0 });
        group('inside', () => check(5, { odd: (n) => n % 2 === 1 }));
      }`);
    const figures = (metric: string, ...names: string[]) =>
      names.map((name) => value(metric, name));
    expect(figures('time', 'min', 'max', 'avg', 'med')).toEqual([1, 10, 5.5, 5.5]);
    expect(figures('time', 'p(90)', 'p(95)').map((n) => n?.toFixed(2))).toEqual(['9.10', '9.55']);
    expect(value('sold', 'count')).toBe(5);
    expect(value('sold{item:tea}', 'count')).toBe(3);
    expect(figures('won', 'rate', 'passes', 'fails')).toEqual([0.5, 2, 2]);
    expect(figures('checks', 'passes', 'fails')).toEqual([2, 1]);
    const { checks, groups } = summary.root_group;
    expect(checks).toMatchObject([
      { name: 'odd', path: '::odd', passes: 1, fails: 0 },
      { name: 'even', path: '::even', passes: 0, fails: 1 },
    ]);
    expect(groups).toMatchObject([{ path: '::inside', checks: [{ path: '::inside::odd' }] }]);
  });

  it('should decide the exit code; a rate without samples passes, as in k6', async () => {
    const script = (thresholds: object) =>
      `${scenario({ executor: 'shared-iterations', iterations: 2 }, { thresholds })} export default () => {};`;
    const held = await runScript(
      script({ checks: ['rate==1'], iterations: ['count>=2', 'count<3'] }),
    );
    expect(held.code).toBe(0);
    const crossed = await runScript(script({ iterations: ['count>2', 'count==2'] }));
    expect(crossed.code).toBe(99);
    expect(crossed.summary.metrics.iterations?.thresholds).toEqual({
      'count>2': { ok: false },
      'count==2': { ok: true },
    });
    expect(crossed.stderr).toContain("thresholds on metrics 'iterations' have been crossed");
  });

  it('should end the run early with abortOnFail', async () => {
    const thresholds = { checks: [{ threshold: 'rate==1', abortOnFail: true }] };
    const options = scenario({ executor: 'constant-vus', vus: 1, duration: '60s' }, { thresholds });
    const { code, stderr, summary } = await runScript(
      `${options} export default () => { check(1, { two: (n) => n === 2 }); sleep(0.1); };`,
    );
    expect(code).toBe(99);
    expect(stderr).toContain("threshold 'rate==1' on checks was crossed; stopping");
    expect(summary.state.testRunDurationMs).toBeLessThan(30_000);
  });
});

describe.concurrent('what the runner refuses', () => {
  it.each([
    [{ vus: 5 }, 'options.'],
    [
      { scenarios: { all: { executor: 'externally-controlled' } } },
      'options.scenarios.all.executor',
    ],
    [
      { scenarios: { all: { executor: 'constant-vus', vus: 1, duration: '1 s' } } },
      'not a duration',
    ],
    [
      { scenarios: { all: { executor: 'constant-vus', vus: 1e5, duration: '1s' } } },
      'do not fit the memory',
    ],
    [
      { scenarios: { all: { executor: 'shared-iterations', iterations: 1, exec: 'gone' } } },
      'gone',
    ],
    [{ thresholds: { nothing: ['count>1'] } }, 'threshold on nothing: there is no such metric'],
    [{ thresholds: { http_reqs: ['p(95)<1'] } }, 'p(95)<1 is unknown for a counter'],
    [{ thresholds: { checks: ['rate=1'] } }, 'rate=1 is unknown for a rate'],
    [{ noConnectionReuse: true }, 'noConnectionReuse'],
  ])('should end with 104: %j', async (options, message) => {
    const all = {
      scenarios: { all: { executor: 'shared-iterations', iterations: 1 } },
      ...options,
    };
    const { code, stderr } = await runScript(
      `export const options = ${JSON.stringify(all)}; export default () => {};`,
    );
    expect(stderr).toContain(message);
    expect(code).toBe(104);
  });

  it.each([
    ['-u', '5'],
    ['-d', '2s'],
    ['-i', '3'],
    ['-s', '1s:3'],
    ['-u5'],
    ['--vus=5'],
    ['--no-thresholds'],
  ])('should be what replaces the judged scenarios: %s', async (...args) => {
    const { code, stderr } = await runScript(`${ONCE} export default () => {};`, { args });
    expect(stderr).toContain(`${args[0]} replaces what the script judges`);
    expect(code).toBe(104);
  });

  it('should be settings of k6 that do so, but not the others', async () => {
    const script = `${ONCE} export default () => {};`;
    const refused = await runScript(script, { env: { K6_VUS: '5' } });
    expect(refused.stderr).toContain('K6_VUS replaces what the script judges');
    expect(refused.code).toBe(104);
    const ignored = await runScript(script, { env: { K6_WEB_DASHBOARD: 'true', K6_IMAGE: 'k6' } });
    expect(ignored.stderr).toContain('warn: only k6 has K6_WEB_DASHBOARD\n');
    expect(ignored.code).toBe(0);
  });

  it('should be unknown options, in one line', async () => {
    const { code, stderr } = await runScript(`${ONCE} export default () => {};`, {
      args: ['--out', 'csv'],
    });
    expect(stderr).toBe("error: Unknown option '--out'\n");
    expect(code).toBe(104);
  });

  it('should explain its options', () => {
    const main = join(ROOT, 'loadtest/runner/main.ts');
    const { status, stdout } = spawnSync(process.execPath, [main, '--help'], { encoding: 'utf8' });
    expect(stdout).toContain('Usage: run [options] SCRIPT');
    expect(status).toBe(0);
  });

  it('should be refused by tsc in a script that uses more of k6', () => {
    const lines = [
      "import { randomSeed } from 'k6';",
      "import http from 'k6/http';",
      "import { Gauge } from 'k6/metrics';",
      "http.asyncRequest('GET', 'http://localhost');",
      "http.request('GET', '/', null, { headers: {}, tags: { name: '' }, timeout: '1s', redirects: 1 });",
      "http.request('GET', '/', null, { headers: {}, tags: { name: '' }, timeout: '1s' }).html();",
    ];
    const file = join(ROOT, 'loadtest/results/refused.ts');
    const project = join(ROOT, 'loadtest/results/tsconfig.json');
    writeFileSync(file, [...lines, 'export default [randomSeed, Gauge];', ''].join('\n'));
    writeFileSync(
      project,
      JSON.stringify({ extends: '../tsconfig.runner.json', include: ['refused.ts'] }),
    );
    try {
      const tsc = join(ROOT, 'node_modules/.bin/tsc');
      const { stdout } = spawnSync(tsc, ['-p', project], { encoding: 'utf8' });
      const found = [...stdout.matchAll(/^.*refused\.ts\((\d+),/gm)].map(([, line]) =>
        Number(line),
      );
      expect(found, stdout).toEqual([1, 3, 4, 5, 6]);
    } finally {
      rmSync(file);
      rmSync(project);
    }
  }, 60_000);
});
