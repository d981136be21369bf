import type { z } from 'zod';
import {
  ConfigError,
  checkProduction,
  commonVariables,
  forbidInProduction,
  oneOf,
  optionalNumber,
  readVariables,
  wholeNumber,
} from '../shared/process/config.ts';

/** The names of the other processes in logs, commands and on the page. */
const RESERVED_NAME = /^(nginx|dashboard|(redis|sentinel)(-\d+)?)$/;

/** The environment variables of an instance, with defaults, allowed values and units. */
export const variables = commonVariables.extend({
  SESSION_STORE: oneOf('redis', 'memory'),
  COUNTER: oneOf('atomic', 'session'),
  LOGIN_LIMIT: wholeNumber(
    0,
    0,
    1_000_000,
    'logins in a minute with one name from one address; 0 is no limit',
  ),
  CACHE: oneOf('local', 'redis', 'off'),
  CACHE_TTL_SECONDS: wholeNumber(60, 1, 86_400, 'seconds'),
  CACHE_STALE_SECONDS: optionalNumber('half of `CACHE_TTL_SECONDS`', 0, 86_400, 'seconds'),
  CACHE_GUARD: oneOf('cluster', 'instance', 'off'),
  ORIGIN_DELAY_MS: wholeNumber(200, 0, 8000, 'milliseconds'),
  ORIGIN_FAILURE_PERCENT: wholeNumber(0, 0, 100, 'percent of its calls'),
});

/** The settings of an instance, under the names of their environment variables. */
export type Config = z.output<typeof variables>;

/**
 * Reads the settings of an instance.
 *
 * @throws {ConfigError} if a value is not allowed
 */
export function readConfig(env: NodeJS.ProcessEnv): Config {
  const config = readVariables(variables, env);
  checkProduction(config);
  forbidInProduction(config, 'SESSION_STORE', 'redis');
  forbidInProduction(config, 'COUNTER', 'atomic');
  if (RESERVED_NAME.test(config.INSTANCE ?? '')) {
    throw new ConfigError(`INSTANCE=${config.INSTANCE}: another part of the stack has this name`);
  }
  return config;
}
