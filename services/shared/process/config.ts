import { z } from 'zod';

function number(min: number, max: number) {
  return z
    .string()
    .regex(/^\d{1,9}$/)
    .transform(Number)
    .pipe(z.number().min(min).max(max));
}

/** A rule for whole numbers from `min` to `max`, in `unit`. */
export function wholeNumber(fallback: number, min: number, max: number, unit: string) {
  const allowed = `a whole number from ${min} to ${max}`;
  return number(min, max).default(fallback).meta({ allowed, unit });
}

/** The same for one that may be unset; `fallback` says what holds then. */
export function optionalNumber(fallback: string, min: number, max: number, unit: string) {
  const allowed = `a whole number from ${min} to ${max}`;
  return number(min, max).optional().meta({ allowed, unit, fallback });
}

/** A rule for one word out of `words`, of which the first is the default. */
export function oneOf<const T extends [string, ...string[]]>(...words: T) {
  return z
    .enum(words)
    .default(words[0] as never)
    .meta({ allowed: words.join(' or ') });
}

const secrets = z
  .string()
  .transform((list) => list.split(',').map((secret) => secret.trim()))
  .refine((list) => list.every((secret) => secret.length >= 32));

/** The environment variables that every service reads: rule, default, what is allowed, unit. */
export const commonVariables = z.object({
  INSTANCE: z
    .string()
    .regex(/^[\w.-]{1,64}$/)
    .optional()
    .meta({
      allowed: 'up to 64 letters, digits and . _ -',
      fallback: 'the first of app-1, app-2 … that is free (the dashboard: the host name)',
    }),
  HOST: z.union([z.ipv4(), z.ipv6()]).default('0.0.0.0').meta({ allowed: 'an IP address' }),
  PORT: wholeNumber(3000, 0, 65_535, 'TCP port, 0 for any free one'),
  NODE_ENV: z.string().default('development').meta({ allowed: 'any word' }),
  LOG_LEVEL: z
    .enum(['fatal', 'error', 'warn', 'info', 'debug', 'silent'])
    .default('info')
    .meta({ allowed: 'fatal, error, warn, info, debug or silent' }),
  REDIS_URL: z
    .url({ protocol: /^rediss?$/ })
    .default('redis://localhost:6379')
    .meta({ allowed: 'a URL that starts with redis:// or rediss://', secret: true }),
  REDIS_TIMEOUT_MS: wholeNumber(1000, 100, 10_000, 'milliseconds'),
  SESSION_COOKIE_NAME: z
    .string()
    .regex(/^[\w!#$%&'*+.^`|~-]{1,64}$/) // a token, RFC 6265 section 4.1.1
    .default('connect.sid')
    .meta({ allowed: 'a cookie name: up to 64 letters, digits and . _ -' }),
  SESSION_SECRET: secrets.optional().meta({
    allowed: 'secrets of 32 or more characters each, separated by commas',
    secret: true,
  }),
  SESSION_TTL_SECONDS: wholeNumber(86_400, 1, 31_536_000, 'seconds'),
  // Less than nginx waits for a reply (1.8 s).
  REQUEST_TIMEOUT_MS: wholeNumber(1500, 100, 10_000, 'milliseconds'),
  IDEMPOTENCY: oneOf('on', 'off'),
});

/** The settings that every service has, under the names of their environment variables. */
export type CommonConfig = z.output<typeof commonVariables>;

/** One environment variable, as the README's table shows it. */
export interface Variable {
  name: string;
  /** What holds where it is unset, in Markdown; absent where that is nothing. */
  fallback?: string;
  allowed: string;
  unit?: string;
}

/** Describes environment variables for people. */
export function describeVariables(variables: z.ZodObject): Variable[] {
  const defaults = variables.parse({});
  return Object.entries(variables.shape).map(([name, rule]) => {
    const { allowed, unit, fallback } = z.globalRegistry.get(rule) as Omit<Variable, 'name'>;
    const value = defaults[name] === undefined ? undefined : `\`${defaults[name]}\``;
    const shown = fallback ?? value;
    return { name, allowed, ...(unit && { unit }), ...(shown && { fallback: shown }) };
  });
}

/** A setting that is not allowed. The message has one line for each: variable, value, what is allowed. */
export class ConfigError extends Error {
  override name = 'ConfigError';
}

/**
 * Reads settings from environment variables; an empty one counts as unset.
 *
 * @throws {ConfigError} where a value is not allowed
 */
export function readVariables<T extends z.ZodObject>(
  variables: T,
  env: NodeJS.ProcessEnv,
): z.output<T> {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  const result = variables.safeParse(given);
  if (result.success) return result.data;
  const names = new Set(result.error.issues.map((issue) => String(issue.path[0])));
  const complaints = [...names].map((name) => complaint(variables, name, given[name]));
  throw new ConfigError(complaints.join('\n'));
}

function complaint(variables: z.ZodObject, name: string, value: string | undefined): string {
  const rule = variables.shape[name];
  const { allowed, secret } = (rule && z.globalRegistry.get(rule)) ?? {};
  const shown = secret ? `(${value?.length} characters, not shown)` : JSON.stringify(value);
  return `${name}=${shown}: must be ${allowed}`;
}
