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
  TRUSTED_PROXIES: z
    .string()
    .optional()
    .meta({ allowed: 'IP addresses or CIDR ranges, separated by commas' }),
  PUBLIC_URL: z
    .url({ protocol: /^https?$/ })
    .optional()
    .meta({ allowed: 'where an audience reaches the page: http://192.168.1.5:8080' }),
  COMPARE_PORTS: z
    .string()
    .regex(/^\d{1,5},\d{1,5}$/)
    .transform((ports): [number, number] => {
      const [right, wrong] = ports.split(',');
      return [Number(right), Number(wrong)];
    })
    .optional()
    .meta({ allowed: 'two TCP ports, separated by a comma; set by `npm start -- --compare`' }),
  FRAME_PORT: z
    .string()
    .regex(/^\d{1,5}$/)
    .transform(Number)
    .optional()
    .meta({ allowed: 'a TCP port; set by `npm run lesson -- --show`' }),
  CONTROL_SOCKET: z
    .string()
    .startsWith('/')
    .optional()
    .meta({ allowed: 'the path of a Unix socket; set by `npm start`' }),
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
  const { BIND, TRUSTED_PROXIES, PRESENTER_KEY } = config;
  // Through a proxy on this machine, other machines reach the dashboard too.
  const isPublic = !LOOPBACK.test(BIND) || TRUSTED_PROXIES !== undefined;
  if (config.FAULT_INJECTION === 'on' && isPublic && !PRESENTER_KEY) {
    const reason = TRUSTED_PROXIES === undefined ? `BIND=${BIND}` : 'TRUSTED_PROXIES';
    throw new ConfigError(`FAULT_INJECTION=on with ${reason} requires a PRESENTER_KEY`);
  }
  return config;
}
