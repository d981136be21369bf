import { groupCpuMs, HAS_PROC, pidsOf } from '../lib/process-use.ts';
import { sum } from '../lib/statistics.ts';
import type { Stack } from '../stack/stack.ts';
import type { CpuUse } from './summary.ts';

/** The CPU time that processes of a stack have used so far; missing if the system has no /proc. */
export async function cpuUse(
  processes: Pick<Stack, 'instances' | 'nginx' | 'redis'>,
): Promise<CpuUse | undefined> {
  if (!HAS_PROC) return undefined;
  const used = async (some: Parameters<typeof pidsOf>[0]) =>
    sum((await pidsOf(some)).map(groupCpuMs)) * 1000;
  return {
    instances: await used(processes.instances),
    nginx: await used([processes.nginx]),
    redis: await used([processes.redis]),
  };
}
