import { z } from 'zod';
import type { Beat } from './messages.ts';

const count = z.number().nonnegative();
const counts = z.array(z.tuple([count, count]));

/** {@link Beat} as it arrives: another version of this program, or anybody who reaches Redis, may have sent it. */
const beat = z.object({
  name: z.string(),
  state: z.enum(['joining', 'ready', 'draining', 'dead']),
  uptimeSeconds: count,
  memoryBytes: count,
  cache: z.object({
    localHits: count,
    redisHits: count,
    sharedLoads: count,
    stale: count,
    misses: count,
    bypasses: count,
    originCalls: count,
    originFailures: count,
  }),
  activity: z
    .object({
      ms: count,
      requests: count,
      latency: z.object({
        all: counts.optional(),
        views: counts.optional(),
        hits: counts.optional(),
        misses: counts.optional(),
      }),
      served: z.array(z.tuple([z.string(), count])),
    })
    .optional(),
  people: z
    .array(z.object({ id: z.string(), name: z.string().optional(), views: count }))
    .optional(),
});

/** What an instance has said of itself; `undefined` where it is nothing that this version understands. */
export function readBeat(json: string): Beat | undefined {
  try {
    return beat.parse(JSON.parse(json)) as Beat;
  } catch {
    return undefined;
  }
}
