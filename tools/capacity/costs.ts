/** What one unit of work takes, as `npm run bench -- --only capacity` measures it. */
interface Cost {
  value: number;
  unit: string;
  /** The lowest and the highest value that was measured. */
  range: readonly [lowest: number, highest: number];
}

/**
 * All measured constants of the model, by the names of their figures. A first view is the first one
 * of its visitor in a minute; it costs most. The instance is busy, with 32 requests in progress. CPU
 * times were measured on a machine that was busy with other work, so they are high.
 */
export const COSTS = {
  'first view, CPU of the instance': { value: 161, unit: 'µs', range: [161, 423] },
  'first view, CPU of nginx': { value: 40, unit: 'µs', range: [24, 67] },
  'first view, CPU of Redis': { value: 58, unit: 'µs', range: [57, 104] },
  'first view, append-only file': { value: 480, unit: 'bytes', range: [470, 486] },
  'first view, replica stream': { value: 485, unit: 'bytes', range: [484, 492] },
  'first view, to Redis': { value: 390, unit: 'bytes', range: [385, 404] },
  'first view, from Redis': { value: 170, unit: 'bytes', range: [164, 174] },
  'first view, to the client': { value: 557, unit: 'bytes', range: [557, 557] },
  'first view, idempotency key': { value: 163, unit: 'bytes', range: [160, 166] },
  'next view, idempotency key': { value: 60, unit: 'bytes', range: [49, 61] },
  'session, 1 view, of many': { value: 471, unit: 'bytes', range: [471, 471] },
  'session, logged in, 3 items, of many': { value: 690, unit: 'bytes', range: [690, 690] },
  'idle instance, own CPU': { value: 9.5, unit: 'ms/s', range: [9.25, 9.75] },
  'idle instance, CPU of Redis': { value: 0.95, unit: 'ms/s', range: [0.93, 0.98] },
} as const satisfies Record<string, Cost>;

export type CostName = keyof typeof COSTS;
