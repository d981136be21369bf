import { describe, expect, it } from 'vitest';
import { eventually } from '../../tools/lib/eventually.ts';
import { NOTE, runScript, Target } from '../support/load-runner.ts';

// See https://grafana.com/docs/k6/latest/using-k6/test-lifecycle/

/** Options for so many VUs that make so many iterations each. */
const each = (vus: number, iterations: number, more = '') =>
  `export const options = { scenarios: {
    each: { executor: 'per-vu-iterations', vus: ${vus}, iterations: ${iterations} },
  }, ${more} };`;

describe('init code', () => {
  it('should run once for each VU', async () => {
    const { code, stderr } = await runScript(`${each(3, 2)}
      console.log('init of VU ' + __VU + '.');
      export default function () {}`);
    expect(code).toBe(0);
    const ids = [...stderr.matchAll(/init of VU (\d+)\./g)].map(([, id]) => Number(id));
    expect(ids).toContain(0);
    expect(ids.filter((id) => id > 0).sort()).toEqual([1, 2, 3]);
  });

  it.each([
    ['throws', `throw new Error('boom');`, 'boom'],
    ['makes a request', `http.get(URL);`, 'init'],
    ['opens what is not there', `open('./nothing.txt');`, 'no such file'],
  ])('should end the run with 107 if it %s', async (_what, source, said) => {
    await using server = await Target.start();
    const { code, stderr } = await runScript(`${NOTE}${source}; export default () => note(1);`, {
      server,
    });
    expect(stderr).toContain(said);
    expect(code).toBe(107);
    expect(server.arrivals).toEqual([]);
  });
});

describe('setup and teardown', () => {
  it('should run once, and give each VU a copy of its own of the data', async () => {
    await using server = await Target.start();
    const { code } = await runScript(
      `${NOTE}${each(2, 1)}
      export function setup() {
        http.post(URL + '/setup', String(__VU));
        return { list: [0], at: new Date(0), gone: undefined };
      }
      export default function (data) {
        data.list.push(__VU);
        note(data);
      }
      export function teardown(data) {
        http.post(URL + '/teardown', JSON.stringify({ __VU, data }));
      }`,
      { server },
    );
    expect(code).toBe(0);
    expect(server.paths).toEqual(['/setup', '/note', '/note', '/teardown']);
    expect(server.bodies('/setup')).toEqual(['0']);
    const at = '1970-01-01T00:00:00.000Z';
    const [first, second] = server.notes.sort((a, b) => a.list[1] - b.list[1]);
    expect([first, second]).toEqual([
      { list: [0, 1], at },
      { list: [0, 2], at },
    ]);
    expect(server.bodies('/teardown').map((body) => JSON.parse(body))).toEqual([
      { __VU: 0, data: { list: [0], at } },
    ]);
  });

  it.each([
    ['setup', 'throws', `throw new Error('boom');`, 107, []],
    ['setup', 'is late', `sleep(20);`, 100, []],
    ['teardown', 'throws', `throw new Error('boom');`, 107, [1]],
    ['teardown', 'is late', `sleep(20);`, 101, [1]],
  ])('should end the run where %s %s', async (stage, _what, source, exitCode, notes) => {
    await using server = await Target.start();
    const other = stage === 'setup' ? `export function teardown() { note('teardown'); }` : '';
    const { code, stderr } = await runScript(
      `import { sleep } from 'k6';
      ${NOTE}${each(1, 1, `setupTimeout: '300ms', teardownTimeout: '300ms'`)}
      export function ${stage}() { ${source} }
      export default () => note(1);
      ${other}`,
      { server },
    );
    expect(stderr).toMatch(exitCode === 107 ? 'boom' : stage);
    expect(code).toBe(exitCode);
    expect(server.notes).toEqual(notes);
  });
});

describe('an iteration', () => {
  it('should be logged and counted if it ends in an error, and the run goes on', async () => {
    await using server = await Target.start();
    const { code, stderr, summary } = await runScript(
      `import { fail } from 'k6';
      ${NOTE}${each(1, 4)}
      let made = 0;
      export default function () {
        made += 1;
        note(made);
        if (made === 1) throw new Error('one is thrown');
        if (made === 2) fail('two gave up');
        if (made === 3) return Promise.reject(new Error('three was rejected'));
        note('end');
      }
      export function teardown() { note('teardown'); }`,
      { server },
    );
    expect(code).toBe(0);
    expect(server.notes).toEqual([1, 2, 3, 4, 'end', 'teardown']);
    for (const said of ['one is thrown', 'two gave up', 'three was rejected']) {
      expect(stderr.split(said)).toHaveLength(2);
    }
    expect(summary.metrics.iterations?.values.count).toBe(4);
  });

  it('should be numbered from 0 for each VU', async () => {
    await using server = await Target.start();
    await runScript(`${NOTE}${each(2, 3)} export default () => note([__VU, __ITER]);`, { server });
    const of = (vu: number) => server.notes.filter(([id]) => id === vu).map(([, iter]) => iter);
    expect([of(1), of(2)]).toEqual([
      [0, 1, 2],
      [0, 1, 2],
    ]);
  });

  it('should stand still while it sleeps', async () => {
    await using server = await Target.start();
    await runScript(
      `import { sleep } from 'k6';
      ${NOTE} export default function () { note(1); sleep(0.5); note(2); }`,
      { server },
    );
    const [before, after] = server.to('/note');
    expect((after?.at ?? 0) - (before?.at ?? 0)).toBeGreaterThan(480);
  });

  it('should end when what it awaits has ended', async () => {
    await using server = await Target.start();
    const { summary } = await runScript(
      `${NOTE}${each(1, 2)}
      export default async function () {
        note('begins');
        for (let i = 0; i < 20; i += 1) await null;
        note('ends');
      }`,
      { server },
    );
    expect(server.notes).toEqual(['begins', 'ends', 'begins', 'ends']);
    expect(summary.metrics.iterations?.values.count).toBe(2);
  });
});

describe('a run that ends before its time', () => {
  it.each(['SIGINT', 'SIGTERM'] as const)(
    'should interrupt its iterations at %s, and still run teardown and the summary',
    async (name) => {
      await using server = await Target.start();
      const when = eventually(() => expect(server.to('/note')).toHaveLength(2));
      const { code, ms, stderr, summary } = await runScript(
        `import { sleep } from 'k6';
        ${NOTE}${each(2, 1)}
        export default function () { note('begins'); sleep(20); note('ends'); }
        export function teardown() { note('teardown'); }`,
        { server, signal: { name, when } },
      );
      expect(code).toBe(105);
      expect(server.notes).toEqual(['begins', 'begins', 'teardown']);
      expect(stderr).toContain('0 complete and 2 interrupted iterations');
      expect(summary.metrics.http_reqs?.values.count).toBe(3);
      expect(ms).toBeLessThan(15_000);
    },
  );

  it('should end with 108 where the script aborts it, and still run teardown', async () => {
    await using server = await Target.start();
    const { code, stderr } = await runScript(
      `import exec from 'k6/execution';
      ${NOTE}${each(1, 2)}
      export default function () {
        note('begins');
        exec.test.abort('enough is known');
        note('ends');
      }
      export function teardown() { note('teardown'); }`,
      { server },
    );
    expect(code).toBe(108);
    expect(stderr).toContain('enough is known');
    expect(server.notes).toEqual(['begins', 'teardown']);
  });
});
