import { z } from 'zod';
import {
  ConfigError,
  commonVariables,
  oneOf,
  optionalNumber,
  readVariables,
  wholeNumber,
} from '../shared/config.ts';

const LOOPBACK = /^(127\.|::1$)/;

/** Each environment variable of an instance: its rule, its default, what is allowed, its unit. */
export const variables = commonVariables.extend({
  SESSION_STORE: oneOf('redis', 'memory'),
  COUNTER: oneOf('atomic', 'session'),
  CACHE: oneOf('local', 'redis', 'off'),
  CACHE_TTL_SECONDS: wholeNumber(60, 1, 86_400, 'seconds'),
  CACHE_STALE_SECONDS: optionalNumber('half of `CACHE_TTL_SECONDS`', 0, 86_400, 'seconds'),
  CACHE_GUARD: oneOf('cluster', 'instance', 'off'),
  // At most what nginx waits for a reply, and an instance for its last ones.
  ORIGIN_DELAY_MS: wholeNumber(200, 0, 8000, 'milliseconds'),
  ORIGIN_FAILURE_PERCENT: wholeNumber(0, 0, 100, 'percent of its calls'),
  BIND: z
    .union([z.ipv4(), z.ipv6()])
    .default('127.0.0.1')
    .meta({ allowed: 'an IP address, where nginx listens' }),
  ROOM_URL: z
    .url({ protocol: /^https?$/ })
    .optional()
    .meta({ allowed: 'where an audience reaches the page: http://192.168.1.5:8080' }),
  CHAOS: oneOf('0', '1'),
  CHAOS_KEY: z
    .string()
    .regex(/^[\w-]{8,64}$/)
    .optional()
    .meta({ allowed: '8 to 64 letters, digits, _ or -', secret: true }),
});

/** The settings of one instance, under the names of their environment variables. */
export type Config = z.output<typeof variables>;

/**
 * Reads the settings of an instance.
 *
 * @throws {ConfigError} where a value is not allowed
 */
export function readConfig(env: NodeJS.ProcessEnv): Config {
  const config = readVariables(variables, env);
  if (config.SESSION_STORE === 'memory' && config.NODE_ENV === 'production') {
    throw new ConfigError('SESSION_STORE=memory: with NODE_ENV=production it must be redis');
  }
  if (config.CHAOS === '1' && config.NODE_ENV === 'production') {
    throw new ConfigError('CHAOS=1: with NODE_ENV=production it must be 0');
  }
  if (config.CHAOS === '1' && !config.CHAOS_KEY && !LOOPBACK.test(config.BIND)) {
    throw new ConfigError(`CHAOS=1: with BIND=${config.BIND} it wants a CHAOS_KEY`);
  }
  return config;
}
