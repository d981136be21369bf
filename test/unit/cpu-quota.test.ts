import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { limitCpu, type Mechanism, stopAndContinue } from '../../tools/lib/cpu-quota.ts';
import { eventually } from '../../tools/lib/eventually.ts';
import { cpuMs, HAS_PROC } from '../../tools/lib/process-use.ts';

const SHARE = 0.2;
const MEASURE_MS = 2000;

const mechanisms: [string, { mechanisms?: Mechanism[] }][] = [
  ['the most precise mechanism of this system', {}],
  ['stopping and continuing', { mechanisms: [stopAndContinue] }],
];

describe.skipIf(!HAS_PROC)('a CPU limit', () => {
  it.each(mechanisms)('should limit a busy process to its share, by %s', async (_, options) => {
    const busy = spawn('sh', ['-c', 'while :; do :; done'], { stdio: 'ignore' });
    const pid = busy.pid ?? 0;
    try {
      const quota = await limitCpu(pid, SHARE, options);
      expect(await shareOf(pid)).toBeLessThan(SHARE * 1.15);
      await quota.lift();
      await eventually(async () => expect(await shareOf(pid)).toBeGreaterThan(SHARE * 1.15));
    } finally {
      busy.kill('SIGKILL');
    }
  });

  it('should be lifted without an error if the process has ended', async () => {
    const brief = spawn('sleep', ['0.1'], { stdio: 'ignore' });
    const quota = await limitCpu(brief.pid ?? 0, SHARE);
    await delay(300);
    await quota.lift();
    expect(existsSync(`/proc/${brief.pid}`)).toBe(false);
  });
});

/** Measures the share of a core that a process uses. */
async function shareOf(pid: number): Promise<number> {
  const [from, before] = [performance.now(), cpuMs(pid)];
  await delay(MEASURE_MS);
  return (cpuMs(pid) - before) / (performance.now() - from);
}
