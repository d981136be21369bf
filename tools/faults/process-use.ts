import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { Stack } from '../stack/stack.ts';

/** What a process takes of the machine. */
export interface Use {
  /** Open file descriptors. */
  fds: number;
  /** Resident memory in megabytes. */
  rssMb: number;
}

/** What each instance of a stack takes now; nothing where the system has no /proc. */
export async function usesOf(stack: Stack): Promise<Use[]> {
  if (!existsSync('/proc/self/status')) return [];
  const statuses = await Promise.all(stack.instances.map((instance) => instance.status()));
  return statuses.map(({ pid }) => {
    const [, kb] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    return { fds: readdirSync(`/proc/${pid}/fd`).length, rssMb: Math.round(Number(kb) / 1024) };
  });
}

/** Megabytes of growth in that many milliseconds that are called none. */
const STEADY_MB = 3;
const STEADY_MS = 6000;

/**
 * What each instance takes once its memory no longer grows, or after `longestMs` at the latest. For
 * the first minute of a load V8 makes its heap larger, whatever happens: from 155 to 275 MB.
 */
export async function steadyUsesOf(stack: Stack, longestMs: number): Promise<Use[]> {
  const until = performance.now() + longestMs;
  for (;;) {
    const before = await usesOf(stack);
    await delay(Math.min(STEADY_MS, longestMs));
    const uses = await usesOf(stack);
    const isSteady = uses.every(({ rssMb }, i) => rssMb - (before[i]?.rssMb ?? 0) <= STEADY_MB);
    if (isSteady || performance.now() > until) return uses;
  }
}

/** What each instance takes in one respect: `120/118/125`. */
export function showUse(uses: Use[], what: keyof Use): string {
  return uses.map((use) => use[what]).join('/') || 'unknown here';
}
