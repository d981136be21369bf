import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Figure } from '../../tools/bench/measures/figure.ts';
import type { Summary } from '../../tools/bench/summary.ts';
import { Running } from '../../tools/lib/running.ts';

/** Milliseconds: the benchmark starts many processes while other tests run. */
const LONG_MS = 240_000;

describe('npm run bench', () => {
  const folder = mkdtempSync(join(tmpdir(), 'shared-state-bench-test-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  /** Runs briefly: too short for exact figures, but long enough to lose updates. */
  async function bench(...options: string[]) {
    const json = join(folder, 'bench.json');
    const args = ['tools/bench/main.ts', '--rounds', '1', '--seconds', '1', '--json', json];
    await using running = new Running(process.execPath, [...args, ...options]);
    const { code, stderr } = await running.ended;
    expect(stderr).toBe('');
    expect(code).toBe(0);
    return JSON.parse(readFileSync(json, 'utf8'));
  }

  describe('side by side', () => {
    let summaries: Summary[];
    beforeAll(async () => {
      ({ summaries } = await bench(
        '--only',
        'bare-minimal-nginx,article,get-set,minimal,views,data,cart,stranger',
      ));
    }, LONG_MS);
    const of = (name: string) => summaries.find((summary) => summary.name === name);

    it('should compare all variants with bare Express', () => {
      expect(of('bare')?.ratio).toEqual({ median: 1, min: 1, max: 1 });
      for (const { name, ratio, secondRatio, requests, p50Ms, p99Ms } of summaries) {
        expect(requests, name).toBeGreaterThan(100);
        expect(ratio.median, name).toBeGreaterThan(0);
        expect(secondRatio, name).toBeGreaterThan(0);
        expect(p99Ms, name).toBeGreaterThanOrEqual(p50Ms);
      }
    });

    it('should find the lost updates of each variant', () => {
      expect(of('article')?.lost).toBeGreaterThan(0);
      expect(of('get-set')?.lost).toBeGreaterThan(0);
      expect(of('minimal')?.lost).toBe(0);
      expect(of('views')?.lost).toBe(0);
      expect(of('data')?.lost).toBeUndefined();
    });

    it('should compare bare Express with itself behind a minimal nginx', () => {
      expect(of('bare-minimal-nginx')?.secondRatio).toBe(1);
    });
  });

  it(
    'should measure the other figures within plausible ranges',
    async () => {
      const { figures } = await bench('--only', 'scale,session-bytes');
      const value = (name: string) => figures.find((one: Figure) => one.name === name)?.value;
      expect(value('scale up')).toBeGreaterThan(100);
      expect(value('session, 1 view')).toBeGreaterThan(200); // the JSON alone has 130 characters
      expect(value('session, 1 view')).toBeLessThan(2000);
    },
    LONG_MS,
  );

  it(
    'should mark a run beside other work',
    async () => {
      const docs = join(folder, 'performance.md');
      writeFileSync(docs, '<!-- figures -->\n<!-- /figures -->\n');
      await using others = new AsyncDisposableStack();
      for (let cores = availableParallelism(); cores > 0; cores -= 4) {
        others.use(new Running('sh', ['-c', 'while :; do :; done']));
      }
      const { tooBusy } = await bench('--only', 'session-bytes', '--docs', docs);
      expect(tooBusy[0]).toMatch(/^other work took \d+ % of the CPU time before the run/);
      expect(readFileSync(docs, 'utf8')).toContain(`. TOO BUSY TO JUDGE: ${tooBusy[0]}`);
    },
    LONG_MS,
  );

  it('should reject an unknown name', async () => {
    await using running = new Running(process.execPath, ['tools/bench/main.ts', '--only', 'speed']);
    const { code, stderr } = await running.ended;
    expect(code).toBe(2);
    expect(stderr).toContain(
      '`--only` knows no "speed"; choose from bare, bare-minimal-nginx, article',
    );
  });
});
