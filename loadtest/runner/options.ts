import { z } from 'zod';
import { Refusal } from './refusal.ts';

const UNITS: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000 };

/** A duration such as `30s`, in milliseconds. */
const duration = z
  .string()
  .regex(/^\d+[smh]$/, 'is not a duration, such as 30s')
  .transform((text) => Number.parseInt(text, 10) * (UNITS[text.slice(-1)] ?? 0));
const count = z.int().positive();
const stages = z.array(z.strictObject({ duration, target: z.int().nonnegative() })).min(1);
const exec = z.string().default('default');

const scenario = z.discriminatedUnion('executor', [
  z.strictObject({
    exec,
    executor: z.literal('shared-iterations'),
    vus: count.default(1),
    iterations: count,
    maxDuration: duration.default(600_000),
  }),
  z.strictObject({ exec, executor: z.literal('constant-vus'), vus: count, duration }),
  z.strictObject({ exec, executor: z.literal('ramping-vus'), startVUs: count, stages }),
  z.strictObject({
    exec,
    executor: z.literal('constant-arrival-rate'),
    rate: count,
    duration,
    preAllocatedVUs: count,
  }),
  z.strictObject({
    exec,
    executor: z.literal('ramping-arrival-rate'),
    startRate: count,
    stages,
    preAllocatedVUs: count,
  }),
]);

/** A scenario with all its defaults; durations in milliseconds. */
export type Scenario = z.infer<typeof scenario>;

const threshold = z.union([
  z.string().transform((source) => ({ threshold: source, abortOnFail: false })),
  z.strictObject({ threshold: z.string(), abortOnFail: z.boolean() }),
]);

const options = z.strictObject({
  scenarios: z.record(z.string(), scenario),
  thresholds: z.record(z.string(), z.array(threshold)).default({}),
  insecureSkipTLSVerify: z.boolean().default(false),
});

export type Options = z.infer<typeof options>;

/**
 * Reads the options that a script exports.
 *
 * @throws {Refusal} that names each option that is wrong or that this runner lacks
 */
export function readOptions(exported: unknown): Options {
  const { data, error } = options.safeParse(exported);
  if (data) return data;
  const lines = error.issues.map(({ path, message }) => `options.${path.join('.')}: ${message}`);
  throw new Refusal(lines.join('\n'));
}

/** The most VUs that a scenario can use. */
export function mostVUs(one: Scenario): number {
  if ('vus' in one) return one.vus;
  if ('preAllocatedVUs' in one) return one.preAllocatedVUs;
  return Math.max(one.startVUs, ...one.stages.map(({ target }) => target));
}

/** Milliseconds for which a scenario starts iterations. */
export function lengthOf(one: Scenario): number {
  if ('maxDuration' in one) return one.maxDuration;
  if ('duration' in one) return one.duration;
  return one.stages.reduce((sum, stage) => sum + stage.duration, 0);
}
