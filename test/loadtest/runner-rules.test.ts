import { describe, expect, it } from 'vitest';
import { NOTE, type RunOptions, runScript, Target } from '../support/load-runner.ts';

// What k6 has not must not work here either, and what this runner lacks must not be ignored.

/** Runs a script that would tell the server of its iteration. */
async function attempt(source: string, options: RunOptions = {}) {
  const server = await Target.start();
  await using _ending = server;
  const body = source.includes('export default') ? '' : 'export default () => note(1);';
  return { ...(await runScript(`${NOTE}${source};${body}`, { ...options, server })), server };
}

describe('what a script cannot have', () => {
  it.each([
    ['a module of Node', `import fs from 'node:fs'; console.log(fs)`, 'node:fs'],
    ['an npm package', `import * as zod from 'zod'; console.log(zod)`, 'zod'],
    ['a module by address', `import 'https://jslib.k6.io/k6-utils/1.4.0/index.js'`, 'jslib.k6.io'],
    ['a file without extension', `import './other'`, './other'],
    ['a file that is not there', `import './missing.ts'`, './missing.ts'],
    ['a dynamic import', `export const never = () => import('./other.ts')`, './other.ts'],
    ['k6/ws', `import ws from 'k6/ws'; export const never = () => ws`, 'k6/ws'],
    ['k6/data', `import { SharedArray } from 'k6/data'; console.log(SharedArray)`, 'k6/data'],
    ['asyncRequest', `import { asyncRequest as a } from 'k6/http'; console.log(a)`, 'asyncRequest'],
    [
      'http.asyncRequest',
      `export const never = () => http.asyncRequest('GET', URL)`,
      'asyncRequest',
    ],
    [
      'randomSeed',
      `import * as k6 from 'k6'; export const never = () => k6.randomSeed(1)`,
      'randomSeed',
    ],
    [
      'exec.instance',
      `import exec from 'k6/execution'; export const f = () => exec.instance`,
      'instance',
    ],
    [
      'scenario.progress',
      `import { scenario as s } from 'k6/execution'; export const f = () => s.progress`,
      'progress',
    ],
    ['require', `export const never = () => require('node:fs')`, 'node:fs'],
    ['no default function', `export default 1`, 'default'],
  ])('should be refused before the run: %s', async (_what, source, name) => {
    const { code, stderr, server } = await attempt(source, {
      files: { 'other.ts': 'export const other = 1;' },
    });
    expect(stderr).toContain(name);
    expect(code).toBe(104);
    expect(server.arrivals).toEqual([]);
  });

  it('should be refused before the run, all by name: options', async () => {
    const { code, stderr, server } = await attempt(`export const options = {
      vuz: 2,
      hosts: { 'a.example': '127.0.0.1' },
      duration: 'soon',
      iterations: 'many',
      thresholds: { checks: [{ threshold: 'rate>0', abort: true }] },
      scenarios: {
        unknown: { executor: 'fast-as-you-can' },
        remote: { executor: 'externally-controlled', vus: 1, duration: '1s' },
        endless: { executor: 'constant-vus', vus: 1 },
        arrivals: { executor: 'constant-arrival-rate', rate: 5, duration: '1s' },
        more: { executor: 'shared-iterations', maxVUs: 5, env: { A: 'b' } },
      },
    }`);
    const names = ['vuz', 'hosts', 'soon', 'iterations', 'abort', 'unknown', 'remote', 'endless'];
    for (const name of [...names, 'preAllocatedVUs', 'maxVUs', 'env'])
      expect(stderr).toContain(name);
    expect(code).toBe(104);
    expect(server.arrivals).toEqual([]);
  });

  it.each([
    ['a figure that is none', `summaryTrendStats: ['p95']`, 'p95'],
    [
      'a function that is not there',
      `scenarios: { one: { executor: 'per-vu-iterations', exec: 'gone' } }`,
      'gone',
    ],
    [
      'scenarios and iterations',
      `iterations: 1, scenarios: { one: { executor: 'per-vu-iterations' } }`,
      'scenarios',
    ],
  ])('should be refused before the run: %s', async (_what, options, name) => {
    const { code, stderr, server } = await attempt(`export const options = { ${options} }`);
    expect(stderr).toContain(name);
    expect(code).toBe(104);
    expect(server.arrivals).toEqual([]);
  });

  it.each<[string, RunOptions, string]>([
    ['--out csv=x.csv', { args: ['--out', 'csv=x.csv'] }, 'csv'],
    ['--no-thresholds', { args: ['--no-thresholds'] }, '--no-thresholds'],
    ['--iterations many', { args: ['--iterations', 'many'] }, 'many'],
    ['--env without a value', { args: ['--env', 'NAME'] }, 'NAME'],
    ['K6_VUS in the environment', { env: { K6_VUS: '2' } }, 'K6_VUS'],
  ])('should be refused before the run from outside: %s', async (_what, options, name) => {
    const { code, stderr, server } = await attempt('', options);
    expect(stderr).toContain(name);
    expect(code).toBe(104);
    expect(server.arrivals).toEqual([]);
  });

  it.each([
    ['setTimeout', `setTimeout(() => note(1), 1)`, 'setTimeout'],
    ['a parameter of a request', `http.get(URL, { responseType: 'none' })`, 'responseType'],
    ['a timeout that is none', `http.get(URL, { timeout: 'soon' })`, 'soon'],
    ['cookies of a request', `http.get(URL, { cookies: { id: '7' } })`, 'cookies'],
    ['a batch of an object', `http.batch({ one: URL })`, 'batch'],
  ])('should end the run when it is used: %s', async (_what, source, name) => {
    const { code, stderr, server } = await attempt(`export default function () {
      try { ${source}; } catch {}
      note('went on');
    }`);
    expect(stderr).toContain(name);
    expect(code).toBe(104);
    expect(server.arrivals).toEqual([]);
  });

  it('should end the run when it is used: a method of a reply', async () => {
    const { code, stderr } = await attempt(`export default () => http.get(URL).html()`);
    expect(stderr).toContain('html');
    expect(code).toBe(104);
  });

  it('should be no global', async () => {
    const { server } = await attempt(`export default () => note([
      typeof process, typeof module, typeof Buffer, typeof fetch, typeof global,
      typeof URLSearchParams, typeof structuredClone, typeof Intl, typeof performance,
      typeof queueMicrotask, typeof setImmediate, typeof AbortController, typeof TextEncoder,
      typeof globalThis.URL, typeof WebAssembly,
    ])`);
    expect(server.notes).toEqual([Array(15).fill('undefined')]);
  });

  it('should not be had by way of any global, nor of what k6 gives and throws', async () => {
    const { server } = await attempt(`
      import * as k6 from 'k6';
      import * as metrics from 'k6/metrics';
      const own = Object.getOwnPropertyNames(globalThis)
        .map((name) => [name, Object.getOwnPropertyDescriptor(globalThis, name).value]);
      const thrown = (run) => { try { run(); } catch (err) { return err; } };
      own.push(['an error', thrown(() => open('./missing.txt'))]);
      export default function (data) {
        const given = [...own, ['http', http], ['get', http.get], ['k6', k6], ['sleep', k6.sleep],
          ['log', console.log], ['Counter', metrics.Counter], ['env', __ENV], ['data', data],
          ['a reply', http.get(URL + '/json')], ['headers', http.get(URL).headers],
          ['an error below HTTP', thrown(() => http.get('nonsense'))]];
        const find = (value) => value.constructor.constructor('return typeof process')();
        note(given.filter(([, value]) => value instanceof Object || typeof value === 'function')
          .filter(([, value]) => thrown(() => find(value)) === undefined && find(value) !== 'undefined')
          .map(([name]) => name));
        note(given.length);
      }
      export const setup = () => ({ some: 'data' });`);
    const [escapes, looked] = server.notes;
    expect(escapes).toEqual([]);
    expect(looked).toBeGreaterThan(50);
  });
});

describe('what a script can have', () => {
  it('should be types, which are not checked, and files by their whole names', async () => {
    const { code, server } = await attempt(
      `import type { Options } from 'k6/options';
      import { double } from './lib/double.ts';
      export const options: Options = { iterations: 1 };
      const wrong: number = 'text';
      export default () => note([double(2) as number, wrong])`,
      { files: { 'lib/double.ts': 'export const double = (n: number): number => n * 2;' } },
    );
    expect(code).toBe(0);
    expect(server.notes).toEqual([[4, 'text']]);
  });

  it('should be files beside it, in init code only', async () => {
    const { code, server } = await attempt(
      `const words = open('./data/words.txt');
      export default function () {
        note(words);
        try { open('./data/words.txt'); note('opened'); } catch (err) { note('init context'); }
      }`,
      { files: { 'data/words.txt': 'some words' } },
    );
    expect(code).toBe(0);
    expect(server.notes).toEqual(['some words', 'init context']);
  });

  it('should be what -e says, each time it says it', async () => {
    const { server } = await attempt(
      `export default () => note([__ENV.ONE, __ENV.TWO, __ENV.NONE])`,
      {
        args: ['-e', 'ONE=a=b', '--env', 'TWO='],
      },
    );
    expect(server.notes).toEqual([['a=b', '', null]]);
  });

  it('should be groups, but not of async functions', async () => {
    const { code, stderr, server } = await attempt(`
      import { group } from 'k6';
      export default function () {
        note(group('plain', () => 'returned'));
        group('async', async () => note('called'));
        note('went on');
      }`);
    expect(server.notes).toEqual(['returned']);
    expect(stderr).toContain('async');
    expect(code).toBe(0);
  });
});
