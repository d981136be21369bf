import { z } from 'zod';
import { Refusal } from './refusal.ts';

/** Milliseconds of a duration as k6 writes them (`1m30s`), or `undefined` where it is none. */
export function parseDuration(text: string | number): number | undefined {
  if (typeof text === 'number') return text;
  if (!/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(text)) return undefined;
  const unit = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
  const parts = text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g);
  return parts.reduce((sum, part) => sum + Number(part[1]) * unit[part[2] as keyof typeof unit], 0);
}

const duration = z.union([z.string(), z.number().nonnegative()]).transform((text, { addIssue }) => {
  const ms = parseDuration(text);
  if (ms !== undefined) return ms;
  addIssue(`${JSON.stringify(text)} is not a duration, such as 1m30s`);
  return z.NEVER;
});
const count = z.int().positive();
const stages = z.array(z.strictObject({ duration, target: z.int().nonnegative() })).min(1);

const common = {
  startTime: duration.default(0),
  gracefulStop: duration.default(30_000),
  exec: z.string().default('default'),
  tags: z.record(z.string(), z.string()).default({}),
};
const maxDuration = duration.default(600_000);
const timeUnit = duration.default(1000);

const scenario = z.discriminatedUnion('executor', [
  z.strictObject({
    ...common,
    executor: z.literal('shared-iterations'),
    vus: count.default(1),
    iterations: count.default(1),
    maxDuration,
  }),
  z.strictObject({
    ...common,
    executor: z.literal('per-vu-iterations'),
    vus: count.default(1),
    iterations: count.default(1),
    maxDuration,
  }),
  z.strictObject({
    ...common,
    executor: z.literal('constant-vus'),
    vus: count.default(1),
    duration,
  }),
  z.strictObject({
    ...common,
    executor: z.literal('ramping-vus'),
    startVUs: z.int().nonnegative().default(1),
    stages,
    gracefulRampDown: duration.default(30_000),
  }),
  z.strictObject({
    ...common,
    executor: z.literal('constant-arrival-rate'),
    rate: count,
    duration,
    timeUnit,
    preAllocatedVUs: count,
  }),
  z.strictObject({
    ...common,
    executor: z.literal('ramping-arrival-rate'),
    startRate: z.int().nonnegative().default(0),
    stages,
    timeUnit,
    preAllocatedVUs: count,
  }),
]);

/** One scenario with all its defaults; durations in milliseconds. */
export type Scenario = z.infer<typeof scenario>;

const threshold = z.strictObject({
  threshold: z.string(),
  abortOnFail: z.boolean().default(false),
  delayAbortEval: duration.default(0),
});

const trendStat = z.string().refine((text) => /^(avg|min|med|max|count|p\([\d.]+\))$/.test(text), {
  error: ({ input }) => `${input} is no figure of a trend`,
});

const options = z.strictObject({
  scenarios: z.record(z.string(), scenario).optional(),
  vus: count.optional(),
  duration: duration.optional(),
  iterations: count.optional(),
  stages: stages.optional(),
  thresholds: z
    .record(
      z.string(),
      z.array(
        z.union([z.string().transform((text) => threshold.parse({ threshold: text })), threshold]),
      ),
    )
    .default({}),
  summaryTrendStats: z.array(trendStat).default(['avg', 'min', 'med', 'max', 'p(90)', 'p(95)']),
  noCookiesReset: z.boolean().default(false),
  setupTimeout: duration.default(60_000),
  teardownTimeout: duration.default(60_000),
});

/** What a script's options and the command line come to. */
export type Options = z.infer<typeof options> & { scenarios: Record<string, Scenario> };

/** What the command line says; any of the first three replaces the script's own scenarios. */
export interface Overrides {
  vus?: number | undefined;
  duration?: string | undefined;
  iterations?: number | undefined;
  summaryTrendStats?: string[] | undefined;
}

/**
 * Reads the options that a script exports.
 *
 * @throws {Refusal} that names each option that is wrong or not supported
 */
export function readOptions(exported: unknown, overrides: Overrides): Options {
  const { summaryTrendStats: _, ...shortcuts } = overrides;
  const own = { ...(exported as object) } as Record<string, unknown>;
  if (Object.values(shortcuts).some((value) => value !== undefined)) {
    for (const name of ['scenarios', 'stages']) delete own[name];
  }
  const given = Object.entries(overrides).filter(([, value]) => value !== undefined);
  const { data, error } = options.safeParse({ ...own, ...Object.fromEntries(given) });
  if (error) {
    const lines = error.issues.map(
      ({ path, message }) => `${['options', ...path].join('.')}: ${message}`,
    );
    throw new Refusal(lines.join('\n'));
  }
  const { scenarios = { default: shortcutScenario(data) } } = data;
  if (data.scenarios && (data.vus ?? data.duration ?? data.iterations ?? data.stages)) {
    throw new Refusal('options: scenarios, and vus, duration, iterations or stages beside them');
  }
  return { ...data, scenarios };
}

function shortcutScenario(data: z.infer<typeof options>): Scenario {
  const { vus, duration: ms, iterations, stages: ramp } = data;
  if (iterations) {
    const limit = ms !== undefined && { maxDuration: ms };
    return scenario.parse({ executor: 'shared-iterations', vus, iterations, ...limit });
  }
  if (ramp) return scenario.parse({ executor: 'ramping-vus', startVUs: vus, stages: ramp });
  if (ms !== undefined) return scenario.parse({ executor: 'constant-vus', vus, duration: ms });
  if (vus) throw new Refusal('options.vus: wants iterations, duration or stages beside it');
  return scenario.parse({ executor: 'per-vu-iterations' });
}

/** The most VUs that a scenario can use. */
export function mostVUs(one: Scenario): number {
  if ('vus' in one) return one.vus;
  if ('preAllocatedVUs' in one) return one.preAllocatedVUs;
  return Math.max(one.startVUs, ...one.stages.map(({ target }) => target));
}

/** Milliseconds from a scenario's start until it starts no more iterations. */
export function lengthOf(one: Scenario): number {
  if ('maxDuration' in one) return one.maxDuration;
  if ('duration' in one) return one.duration;
  return one.stages.reduce((sum, stage) => sum + stage.duration, 0);
}
