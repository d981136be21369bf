import { z } from 'zod';
import {
  ConfigError,
  commonVariables,
  oneOf,
  optionalNumber,
  readVariables,
  wholeNumber,
} from '../shared/process/config.ts';

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
  PUBLIC_URL: z
    .url({ protocol: /^https?$/ })
    .optional()
    .meta({ allowed: 'where an audience reaches the page: http://192.168.1.5:8080' }),
  FAULT_INJECTION: oneOf('off', 'on'),
  PRESENTER_KEY: z
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
  if (config.FAULT_INJECTION === 'on' && config.NODE_ENV === 'production') {
    throw new ConfigError('FAULT_INJECTION=on: with NODE_ENV=production it must be 0');
  }
  if (config.FAULT_INJECTION === 'on' && !config.PRESENTER_KEY && !LOOPBACK.test(config.BIND)) {
    throw new ConfigError(`FAULT_INJECTION=on: with BIND=${config.BIND} it wants a PRESENTER_KEY`);
  }
  return config;
}
