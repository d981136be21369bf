import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { getSystemErrorMessage } from 'node:util';
import { z } from 'zod';
import { parseRedisUrl, REDIS_URLS, RedisUrlError, withPassword } from './redis-url.ts';
import { tracingVariables } from './tracing-config.ts';

/** The longest part of a value in a message. */
const MAX_SHOWN = 60;

function number(min: number, max: number) {
  return z
    .string()
    .regex(/^\d{1,9}$/)
    .transform(Number)
    .pipe(z.number().min(min).max(max));
}

/** A whole number from `min` to `max`, in `unit`. */
export function wholeNumber(fallback: number, min: number, max: number, unit: string) {
  const allowed = `a whole number from ${min} to ${max}`;
  return number(min, max).default(fallback).meta({ allowed, unit });
}

/** A whole number that may be unset; `fallback` describes the value that is used then. */
export function optionalNumber(fallback: string, min: number, max: number, unit: string) {
  const allowed = `a whole number from ${min} to ${max}`;
  return number(min, max).optional().meta({ allowed, unit, fallback });
}

/** One of some words; the first is the default. */
export function oneOf<const T extends [string, ...string[]]>(...words: T) {
  return z
    .enum(words)
    .default(words[0] as never)
    .meta({ allowed: words.join(' or ') });
}

/** Why a client cannot use a URL of Redis; `undefined` if it can. */
function faultOf(url: string): string | undefined {
  try {
    parseRedisUrl(url);
    return undefined;
  } catch (err) {
    if (err instanceof RedisUrlError) return err.message;
    throw err;
  }
}

/** Says why a file cannot be read, or `otherwise` if reading did not fail. */
function fileFault(err: unknown, otherwise: string): string {
  const { errno } = err as NodeJS.ErrnoException;
  return errno ? `cannot be read: ${getSystemErrorMessage(errno)}` : otherwise;
}

/** The path of a PEM file. The setting is its content. */
const certificates = z.string().transform((path, context) => {
  try {
    const pem = readFileSync(path, 'utf8');
    new X509Certificate(pem);
    return pem;
  } catch (err) {
    const fault = fileFault(err, 'holds no certificate in PEM format');
    context.addIssue({ code: 'custom', message: '', params: { fault } });
    return z.NEVER;
  }
});

/** Refuses a CA without TLS: its user believes that the connections are encrypted. */
function requireTls(config: Record<string, unknown>, context: z.RefinementCtx): void {
  if (!config.REDIS_CA_FILE || String(config.REDIS_URL).startsWith('rediss')) return;
  const params = { fault: 'needs TLS: REDIS_URL must begin with rediss' };
  context.addIssue({ code: 'custom', message: '', path: ['REDIS_CA_FILE'], params });
}

/** Refuses a password that REDIS_URL has no place for. */
function requirePlaceForPassword(config: Record<string, unknown>, context: z.RefinementCtx): void {
  const { REDIS_URL: url, REDIS_PASSWORD: password } = config;
  if (typeof url !== 'string' || typeof password !== 'string') return;
  try {
    withPassword(url, password);
  } catch (err) {
    const params = { fault: (err as RedisUrlError).message };
    context.addIssue({ code: 'custom', message: '', path: ['REDIS_PASSWORD'], params });
  }
}

const secrets = z
  .string()
  .transform((list) => list.split(',').map((secret) => secret.trim()))
  .refine((list) => list.every((secret) => secret.length >= 32));

/** Less than nginx waits for one try (nginx/nginx.conf), so that a client hears about the reason. */
const MAX_PRODUCTION_TIMEOUT_MS = 1700;

/** The environment variables of every application, with defaults, allowed values and units. */
export const commonVariables = z.object({
  INSTANCE: z
    .string()
    .regex(/^[a-z\d][\w.-]{0,63}$/i)
    .optional()
    .meta({
      allowed: 'a letter or digit, then up to 63 letters, digits and . _ -',
      fallback:
        'in Docker Compose `app-1` for the container `shared-state-app-1`; else the first free ' +
        'name of app-1, app-2 … (the dashboard: the host name)',
    }),
  HOST: z.union([z.ipv4(), z.ipv6()]).default('0.0.0.0').meta({ allowed: 'an IP address' }),
  PORT: wholeNumber(3000, 0, 65_535, 'TCP port, 0 for any free one'),
  NODE_ENV: z.string().default('development').meta({ allowed: 'any word' }),
  LOG_LEVEL: z
    .enum(['fatal', 'error', 'warn', 'info', 'debug', 'silent'])
    .default('info')
    .meta({ allowed: 'fatal, error, warn, info, debug or silent' }),
  REDIS_URL: z
    .string()
    .superRefine((url, context) => {
      const fault = faultOf(url);
      if (fault) context.addIssue({ code: 'custom', message: '', params: { fault } });
    })
    .default('redis://localhost:6379')
    .meta({
      allowed: REDIS_URLS,
      secret: true,
    }),
  REDIS_PASSWORD: z.string().optional().meta({
    allowed: 'the password of Redis, instead of one in `REDIS_URL`',
    secret: true,
  }),
  REDIS_CA_FILE: certificates.optional().meta({
    allowed: 'the path of a PEM file with the CA certificates of Redis, for rediss://',
    fallback: 'the public CAs that Node trusts',
  }),
  REDIS_WAIT_REPLICAS: wholeNumber(0, 0, 9, 'replicas that must have a change before it is done'),
  REDIS_TIMEOUT_MS: wholeNumber(1000, 100, 10_000, 'milliseconds'),
  SESSION_COOKIE_NAME: z
    .string()
    .regex(/^[\w!#$%&'*+.^`|~-]{1,64}$/) // a token, RFC 6265 section 4.1.1
    .default('connect.sid')
    .meta({
      allowed: 'a cookie name: up to 64 letters, digits and . _ -',
      fallback:
        '`connect.sid`; with `--name blue` or `-p blue` `connect.sid.blue`; with TLS `__Host-…`',
    }),
  SESSION_SECRET: secrets.optional().meta({
    allowed: 'secrets of 32 or more characters each, separated by commas',
    secret: true,
  }),
  SESSION_TTL_SECONDS: wholeNumber(86_400, 1, 31_536_000, 'seconds'),
  REQUEST_TIMEOUT_MS: wholeNumber(
    1500,
    100,
    10_000,
    `milliseconds; at most ${MAX_PRODUCTION_TIMEOUT_MS} in production`,
  ),
  IDEMPOTENCY: oneOf('on', 'off'),
  FAULT_INJECTION: oneOf('off', 'on'),
  ...tracingVariables.shape,
});

/** The settings of every application, under the names of their environment variables. */
export type CommonConfig = z.output<typeof commonVariables>;

/** One environment variable, for the reference. */
export interface Variable {
  name: string;
  /** The value that is used if it is unset, in Markdown. */
  fallback?: string;
  allowed: string;
  unit?: string;
}

/** Describes environment variables for the reference. */
export function describeVariables(variables: z.ZodObject): Variable[] {
  const defaults = variables.parse({});
  return Object.entries(variables.shape).map(([name, rule]) => {
    const { allowed, unit, fallback } = z.globalRegistry.get(rule) as Omit<Variable, 'name'>;
    const value = defaults[name] === undefined ? undefined : `\`${defaults[name]}\``;
    const shown = fallback ?? value;
    return { name, allowed, ...(unit && { unit }), ...(shown && { fallback: shown }) };
  });
}

/** A setting is not allowed. The message has one line for each: variable, value, allowed values. */
export class ConfigError extends Error {
  override name = 'ConfigError';
}

/** The project in docker-compose.yml. */
const DEFAULT_PROJECT = 'shared-state';

/** Browsers send a cookie to every port of a host, so each other project has its own cookie. */
function cookieNameOf(project = DEFAULT_PROJECT): string | undefined {
  return project === DEFAULT_PROJECT ? undefined : `connect.sid.${project}`;
}

/** Tells whether the value of a variable must not be shown. */
function isSecret(rule: z.ZodType | undefined): boolean {
  return (rule && z.globalRegistry.get(rule)?.secret) === true;
}

/**
 * Reads the secrets that are given as files, as Docker and Kubernetes mount them. NAME_FILE is the
 * path. The value of NAME is the content, without line breaks at its end.
 */
function readSecretFiles(variables: z.ZodObject, env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const read: NodeJS.ProcessEnv = {};
  for (const name of Object.keys(variables.shape)) {
    const file = `${name}_FILE`;
    const path = env[file];
    if (path === undefined || !isSecret(variables.shape[name])) continue;
    const refuse = (fault: string) => new ConfigError(`${file}=${quoted(path)}: ${fault}`);
    if (env[name] !== undefined) throw refuse(`${name} is set too; set one of them`);
    try {
      read[name] = readFileSync(path, 'utf8').replace(/[\r\n]+$/, '');
    } catch (err) {
      throw refuse(fileFault(err, 'cannot be read'));
    }
    if (read[name] === '') throw refuse('is empty');
  }
  return read;
}

/**
 * Reads settings from environment variables. An empty variable counts as unset. Each secret can be
 * in a file instead: NAME_FILE is its path.
 *
 * @throws {ConfigError} if a value is not allowed
 */
export function readVariables<T extends z.ZodObject>(
  variables: T,
  env: NodeJS.ProcessEnv,
): z.output<T> {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  given.SESSION_COOKIE_NAME ??= cookieNameOf(given.COMPOSE_PROJECT_NAME);
  Object.assign(given, readSecretFiles(variables, given));
  const checked = variables.superRefine(requireTls).superRefine(requirePlaceForPassword);
  const { data, error } = checked.safeParse(given);
  if (data) return data;
  const issues = new Map(error?.issues.map((issue) => [String(issue.path[0]), issue]));
  const lines = [...issues].map(([name, issue]) => complaint(variables, name, given[name], issue));
  throw new ConfigError(lines.join('\n'));
}

function complaint(
  variables: z.ZodObject,
  name: string,
  value: string | undefined,
  issue: z.core.$ZodIssue,
): string {
  const rule = variables.shape[name];
  const { allowed } = (rule && z.globalRegistry.get(rule)) ?? {};
  const shown = isSecret(rule) ? `(${value?.length} characters, not shown)` : quoted(value ?? '');
  const fault = issue.code === 'custom' ? issue.params?.fault : undefined;
  return `${name}=${shown}: ${fault ?? `must be ${allowed}`}`;
}

/** A value in quotation marks, cut if it is long. */
function quoted(value: string): string {
  return JSON.stringify(value.length > MAX_SHOWN ? `${value.slice(0, MAX_SHOWN)}…` : value);
}

/**
 * Refuses settings of every application that are dangerous in production.
 *
 * @throws {ConfigError}
 */
export function checkProduction(config: CommonConfig): void {
  forbidInProduction(config, 'FAULT_INJECTION', 'off');
  forbidInProduction(config, 'IDEMPOTENCY', 'on');
  const { NODE_ENV, REQUEST_TIMEOUT_MS } = config;
  if (NODE_ENV !== 'production' || REQUEST_TIMEOUT_MS <= MAX_PRODUCTION_TIMEOUT_MS) return;
  throw new ConfigError(
    `REQUEST_TIMEOUT_MS=${REQUEST_TIMEOUT_MS}: with NODE_ENV=production it must be ` +
      `at most ${MAX_PRODUCTION_TIMEOUT_MS}, because nginx waits little longer`,
  );
}

/**
 * Refuses a setting for teaching that is dangerous in production.
 *
 * @throws {ConfigError}
 */
export function forbidInProduction(
  config: CommonConfig & Record<string, unknown>,
  name: string,
  safe: string,
): void {
  if (config.NODE_ENV !== 'production' || config[name] === safe) return;
  throw new ConfigError(`${name}=${config[name]}: with NODE_ENV=production it must be ${safe}`);
}
