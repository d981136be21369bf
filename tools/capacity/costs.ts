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
  'first view, CPU of the instance': { value: 187, unit: 'µs', range: [172, 188] },
  'first view, CPU of nginx': { value: 37, unit: 'µs', range: [37, 42] },
  'first view, CPU of Redis': { value: 66, unit: 'µs', range: [65, 68] },
  'first view, append-only file': { value: 471, unit: 'bytes', range: [470, 471] },
  'first view, replica stream': { value: 471, unit: 'bytes', range: [471, 471] },
  'first view, to Redis': { value: 385, unit: 'bytes', range: [384, 385] },
  'first view, from Redis': { value: 163, unit: 'bytes', range: [163, 163] },
  'first view, to the client': { value: 558, unit: 'bytes', range: [557, 558] },
  'first view, idempotency key': { value: 160, unit: 'bytes', range: [160, 161] },
  'next view, idempotency key': { value: 75, unit: 'bytes', range: [47, 101] },
  'session, 1 view, of many': { value: 470, unit: 'bytes', range: [469, 471] },
  'session, logged in, 3 items, of many': { value: 690, unit: 'bytes', range: [666, 692] },
  'idle instance, own CPU': { value: 12, unit: 'ms/s', range: [9.25, 12] },
  'idle instance, CPU of Redis': { value: 1.69, unit: 'ms/s', range: [0.93, 1.69] },
} as const satisfies Record<string, Cost>;

export type CostName = keyof typeof COSTS;
