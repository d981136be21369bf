import { existsSync, readFileSync } from 'node:fs';
import { ask } from '../lib/child.mjs';
import { listProcesses } from '../lib/processes.mjs';

const HAS_ROLLUP = existsSync('/proc/self/smaps_rollup');

/**
 * The memory in megabytes of processes, each with all of its descendants. Linux counts pages that
 * several processes share once, in parts (PSS). Other systems count them in each process (RSS).
 *
 * @param roots process ids
 */
export function memoryOf(roots: readonly number[]): Map<number, number> {
  const parents = new Map([...listProcesses()].map(([pid, { ppid }]) => [pid, ppid]));
  const rss = HAS_ROLLUP ? undefined : residentSizes();
  const sums = new Map(roots.map((root) => [root, 0]));
  for (const pid of parents.keys()) {
    const root = rootOf(pid, parents, sums);
    if (root === undefined) continue;
    const kilobytes = rss ? (rss.get(pid) ?? 0) : proportionalSize(pid);
    sums.set(root, (sums.get(root) ?? 0) + kilobytes / 1024);
  }
  return sums;
}

function rootOf(pid: number, parents: Map<number, number>, roots: Map<number, unknown>) {
  for (let at: number | undefined = pid; at; at = parents.get(at)) if (roots.has(at)) return at;
  return undefined;
}

/** Kilobytes, with what is swapped out. */
function proportionalSize(pid: number): number {
  try {
    const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
    const sizes = [...rollup.matchAll(/^(?:Pss|SwapPss):\s+(\d+) kB$/gm)];
    return sizes.reduce((sum, [, kilobytes]) => sum + Number(kilobytes), 0);
  } catch {
    return 0; // the process has ended meanwhile
  }
}

function residentSizes(): Map<number, number> {
  const { stdout } = ask('ps', ['-Axo', 'pid=,rss=']);
  return new Map(
    stdout.split('\n').map((line) => {
      const [pid, kilobytes] = line.trim().split(/\s+/).map(Number);
      return [pid ?? 0, kilobytes ?? 0];
    }),
  );
}
