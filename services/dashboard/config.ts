import { z } from 'zod';
import {
  ConfigError,
  checkProduction,
  commonVariables,
  readVariables,
} from '../shared/process/config.ts';

const LOOPBACK = /^(127\.|::1$)/;

/** The environment variables of a dashboard. */
export const variables = commonVariables.extend({
  BIND: z
    .union([z.ipv4(), z.ipv6()])
    .default('127.0.0.1')
    .meta({ allowed: 'an IP address, where nginx listens' }),
  PUBLIC_URL: z
    .url({ protocol: /^https?$/ })
    .optional()
    .meta({ allowed: 'where an audience reaches the page: http://192.168.1.5:8080' }),
  PRESENTER_KEY: z
    .string()
    .regex(/^[\w-]{8,64}$/)
    .optional()
    .meta({ allowed: '8 to 64 letters, digits, _ or -', secret: true }),
});

/** The settings of a dashboard, by environment variable. */
export type Config = z.output<typeof variables>;

/**
 * Reads the settings of a dashboard.
 *
 * @throws {ConfigError} if a value is not allowed
 */
export function readConfig(env: NodeJS.ProcessEnv): Config {
  const config = readVariables(variables, env);
  checkProduction(config);
  if (config.FAULT_INJECTION === 'on' && !config.PRESENTER_KEY && !LOOPBACK.test(config.BIND)) {
    throw new ConfigError(`FAULT_INJECTION=on with BIND=${config.BIND} requires a PRESENTER_KEY`);
  }
  return config;
}
