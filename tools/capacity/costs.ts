/** What one unit of work takes, as `npm run bench -- --only capacity` measures it. */
interface Cost {
  value: number;
  unit: string;
  /** The lowest and the highest value that was measured. */
  range: readonly [lowest: number, highest: number];
}

/**
 * All measured constants of the model, by the names of their figures. A first view is the first one
 * of its visitor in a minute; it costs most. The instance is busy, with 32 requests in progress.
 */
export const COSTS = {
  'first view, CPU of the instance': { value: 120, unit: 'µs', range: [100, 171] },
  'first view, CPU of nginx': { value: 40, unit: 'µs', range: [36, 52] },
  'first view, CPU of Redis': { value: 50, unit: 'µs', range: [40, 58] },
  'first view, append-only file': { value: 473, unit: 'bytes', range: [470, 473] },
  'first view, replica stream': { value: 489, unit: 'bytes', range: [486, 492] },
  'first view, to Redis': { value: 387, unit: 'bytes', range: [385, 387] },
  'first view, from Redis': { value: 165, unit: 'bytes', range: [164, 165] },
  'first view, to the client': { value: 557, unit: 'bytes', range: [557, 557] },
  'first view, idempotency key': { value: 161, unit: 'bytes', range: [160, 161] },
  'next view, idempotency key': { value: 100, unit: 'bytes', range: [61, 120] },
  'session, 1 view, of many': { value: 480, unit: 'bytes', range: [480, 480] },
  'session, logged in, 3 items, of many': { value: 950, unit: 'bytes', range: [950, 950] },
  'idle instance, own CPU': { value: 10, unit: 'ms/s', range: [7, 13] },
  'idle instance, CPU of Redis': { value: 0.8, unit: 'ms/s', range: [0.5, 0.98] },
} as const satisfies Record<string, Cost>;

export type CostName = keyof typeof COSTS;
