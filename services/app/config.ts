import { hostname } from 'node:os';
import { z } from 'zod';

/** A rule for whole numbers from `min` to `max`, in `unit`. */
function wholeNumber(fallback: number, min: number, max: number, unit: string) {
  return z
    .string()
    .regex(/^\d{1,9}$/)
    .transform(Number)
    .pipe(z.number().min(min).max(max))
    .default(fallback)
    .meta({ allowed: `a whole number from ${min} to ${max}`, unit });
}

/** A rule for one word out of `words`, of which the first is the default. */
function oneOf<const T extends [string, ...string[]]>(...words: T) {
  return z
    .enum(words)
    .default(words[0] as never)
    .meta({ allowed: words.join(' or ') });
}

const secrets = z
  .string()
  .transform((list) => list.split(',').map((secret) => secret.trim()))
  .refine((list) => list.every((secret) => secret.length >= 32));

/** Each environment variable of an instance: its rule, its default, what is allowed, its unit. */
const variables = z.object({
  INSTANCE: z
    .string()
    .regex(/^[\w.-]{1,64}$/)
    .default(hostname())
    .meta({ allowed: 'up to 64 letters, digits and . _ -' }),
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
  SESSION_NAME: z
    .string()
    .regex(/^[\w!#$%&'*+.^`|~-]{1,64}$/) // a token, RFC 6265 section 4.1.1
    .default('connect.sid')
    .meta({ allowed: 'a cookie name: up to 64 letters, digits and . _ -' }),
  SESSION_SECRET: secrets.optional().meta({
    allowed: 'secrets of 32 or more characters each, separated by commas',
    secret: true,
  }),
  SESSION_TTL_SECONDS: wholeNumber(86_400, 1, 31_536_000, 'seconds'),
  SESSION_STORE: oneOf('redis', 'memory'),
  COUNTER: oneOf('atomic', 'session'),
  CACHE_TTL_SECONDS: wholeNumber(60, 1, 86_400, 'seconds'),
  // At most what nginx waits for a reply, and an instance for its last ones.
  ORIGIN_DELAY_MS: wholeNumber(200, 0, 8000, 'milliseconds'),
});

/** The settings of one instance, under the names of their environment variables. */
export type Config = z.output<typeof variables>;

/** One environment variable, as the README's table shows it. */
export interface Variable {
  name: string;
  /** Absent where there is none, or where the machine decides. */
  fallback?: string;
  allowed: string;
  unit?: string;
}

/** Every environment variable that an instance reads. */
export function describeVariables(): Variable[] {
  const defaults = variables.parse({});
  return Object.entries(variables.shape).map(([name, rule]) => {
    const { allowed, unit } = rule.meta() as Pick<Variable, 'allowed' | 'unit'>;
    const fallback = name === 'INSTANCE' ? undefined : defaults[name as keyof Config];
    return {
      name,
      allowed,
      ...(unit && { unit }),
      ...(fallback !== undefined && { fallback: String(fallback) }),
    };
  });
}

/** A setting that is not allowed. The message has one line for each: variable, value, what is allowed. */
export class ConfigError extends Error {
  override name = 'ConfigError';
}

/**
 * Reads the settings of an instance from environment variables; an empty one counts as unset.
 *
 * @throws {ConfigError} where a value is not allowed
 */
export function readConfig(env: NodeJS.ProcessEnv): Config {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  const result = variables.safeParse(given);
  if (!result.success) {
    const names = new Set(result.error.issues.map((issue) => issue.path[0] as keyof Config));
    throw new ConfigError([...names].map((name) => complaint(name, given[name])).join('\n'));
  }
  const config = result.data;
  if (config.SESSION_STORE === 'memory' && config.NODE_ENV === 'production') {
    throw new ConfigError('SESSION_STORE=memory: with NODE_ENV=production it must be redis');
  }
  return config;
}

function complaint(name: keyof Config, value: string | undefined): string {
  const { allowed, secret } = variables.shape[name].meta() as { allowed: string; secret?: boolean };
  const shown = secret ? `(${value?.length} characters, not shown)` : JSON.stringify(value);
  return `${name}=${shown}: must be ${allowed}`;
}
