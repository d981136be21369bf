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
  'first view, CPU of the instance': { value: 161, unit: 'µs', range: [161, 502] },
  'first view, CPU of nginx': { value: 40, unit: 'µs', range: [24, 84] },
  'first view, CPU of Redis': { value: 58, unit: 'µs', range: [57, 131] },
  'first view, append-only file': { value: 480, unit: 'bytes', range: [470, 495] },
  'first view, replica stream': { value: 485, unit: 'bytes', range: [470, 492] },
  'first view, to Redis': { value: 390, unit: 'bytes', range: [385, 411] },
  'first view, from Redis': { value: 170, unit: 'bytes', range: [164, 178] },
  'first view, to the client': { value: 557, unit: 'bytes', range: [557, 557] },
  'first view, idempotency key': { value: 163, unit: 'bytes', range: [160, 171] },
  'next view, idempotency key': { value: 60, unit: 'bytes', range: [47, 61] },
  'session, 1 view, of many': { value: 471, unit: 'bytes', range: [469, 471] },
  'session, logged in, 3 items, of many': { value: 690, unit: 'bytes', range: [666, 690] },
  'idle instance, own CPU': { value: 9.5, unit: 'ms/s', range: [9.25, 9.75] },
  'idle instance, CPU of Redis': { value: 0.95, unit: 'ms/s', range: [0.93, 1.06] },
} as const satisfies Record<string, Cost>;

export type CostName = keyof typeof COSTS;
