import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ROOT } from '../../tools/lib/root.mjs';
import { type Ended, Running } from '../../tools/lib/running.ts';
import { checkLoadTests } from '../../tools/setup/check-programs.mjs';

const SCRIPT = join(ROOT, 'loadtest/02-continuity.ts');

// k6 and its image are not to be had where this runs: what stands in for them says how it was called.
describe('npm run loadtest', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'shared-state-path-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const place = (name: string, ...lines: string[]) =>
    writeFileSync(join(folder, name), ['#!/bin/sh', ...lines].join('\n'), { mode: 0o755 });

  /** Runs with nothing else on the PATH. */
  async function run(words: string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
    const args = [join(ROOT, 'loadtest/run.ts'), ...words];
    await using running = new Running(process.execPath, args, { ...env, PATH: folder });
    return await running.ended;
  }

  it('should use k6 if it is installed, and pass on its arguments', async () => {
    place('k6', 'echo "k6 $*"', '[ "$1" = version ] || exit 99');
    place('docker', 'echo "docker $*"');
    const { code, stdout, stderr } = await run(['continuity', '-e', 'VUS=2', '--out', 'json=x']);
    expect(stderr).toBe('continuity, by k6\n');
    expect(stdout).toContain('k6 run ');
    expect(stdout).toContain(`-e VUS=2 --out json=x ${SCRIPT}\n`);
    expect(code).toBe(99);
  });

  it('should else take the image where Docker has it, with the files and settings it needs', async () => {
    place('docker', 'echo "docker $*"');
    const words = ['continuity', '-e', 'VUS=2', '--env=AT_ONCE=1'];
    const env = { BASE_URL: 'http://localhost:1', K6_IMAGE: 'k6:mine', K6_WEB_DASHBOARD: 'true' };
    const { stdout, stderr } = await run(words, env);
    expect(stderr).toBe('continuity, by the image k6:mine\n');
    expect(stdout).toContain(' -e SETTINGS=VUS,AT_ONCE -e VUS=2 --env=AT_ONCE=1 ');
    expect(stdout).toContain(' --env BASE_URL ');
    expect(stdout).toContain(' --env K6_WEB_DASHBOARD ');
  });

  it('should else take the runner', async () => {
    place('docker', 'exit 1'); // the image is not there
    const { code, stderr } = await run(['continuity', '-e', 'BASE_URL=http://127.0.0.1:1']);
    expect(stderr).toContain("continuity, by the project's own runner\n");
    expect(stderr).toContain('not k6');
    expect(code).toBe(107); // no server answers
  });

  it('should not take a k6 without TypeScript, nor an image in a virtual machine', async () => {
    place('k6', 'echo "k6 v0.49.0 (go1.21.6, linux/amd64)"');
    place('docker', '[ "$1" = info ] && echo "Docker Desktop"; exit 0');
    const reasons = {
      k6: 'k6 0.49.0 is too old: the scripts are in TypeScript, which needs k6 1.0\n',
      image: 'Docker runs in a virtual machine with a network of its own\n',
    };
    const { stderr } = await run(['continuity', '-e', 'BASE_URL=http://127.0.0.1:1']);
    const taken = "continuity, by the project's own runner\n";
    expect(stderr).toContain(`${reasons.k6}${reasons.image}${taken}`);
    for (const [way, reason] of Object.entries(reasons)) {
      expect(await run(['continuity', '--with', way])).toMatchObject({ code: 104, stderr: reason });
    }
    expect(checkLoadTests([folder]).found).toBe(
      `${reasons.k6.trim()}; npm run loadtest uses its own runner`,
    );
  });

  it('should take what it is told to', async () => {
    place('k6', 'echo k6');
    const { stderr } = await run(['continuity', '--with', 'runner', '--unknown']);
    expect(stderr).toContain("continuity, by the project's own runner\n");
    expect(stderr).toContain('--unknown');
  });

  it('should say in one line that k6 is not installed', async () => {
    const { code, stderr } = await run(['continuity', '--with', 'k6']);
    expect(stderr).toBe('k6 is not installed\n');
    expect(code).toBe(104);
  });

  it.each([['continuty'], ['continuity', '--with', 'k7'], ['continuity', '--with']])(
    'should list the load tests if it does not know the name: %s',
    async (...words) => {
      const { code, stderr } = await run(words);
      expect(code).toBe(104);
      expect(stderr).toContain(
        'smoke, continuity, average-load, cache, stampede, shop, stress, spike, soak, breakpoint, failover',
      );
    },
  );

  it('should refuse a summary without thresholds', async () => {
    const { code, stderr } = await run(['smoke', '--new-machine-readable-summary']);
    expect(stderr).toContain('its data has no thresholds');
    expect(code).toBe(104);
  });

  it('should explain itself', async () => {
    const { code, stdout } = await run(['--help']);
    expect(code).toBe(0);
    expect(stdout).toContain('Usage: npm run loadtest -- NAME');
  });
});
