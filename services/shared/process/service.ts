import type { EventEmitter } from 'node:events';
import { hostname } from 'node:os';
import { basename, dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Express } from 'express';
import { type Logger, pino } from 'pino';
import type { RedisScripts } from 'redis';
import { type CommonConfig, ConfigError } from './config.ts';
import { containerName } from './container-name.ts';
import { closeRedis } from './redis.ts';
import { type ConnectionOptions, connectRedis } from './redis-connection.ts';
import { withPassword } from './redis-url.ts';
import { HttpServer } from './server.ts';
import type { Tracing } from './tracing.ts';
import { tracesUrl } from './tracing-config.ts';

/** Milliseconds that a shutdown allows the requests in progress, and then the Redis clients. */
export const DRAIN_MS = 8000;
export const CLOSE_REDIS_MS = 1000;

/** Milliseconds that an instance waits for Redis before it listens. */
const CONNECT_MS = 3000;

/** Milliseconds in which Docker Compose has printed a message of a container. */
const PRINTED_MS = 1500;

/** Creates a client of the configured Redis. It is closed at shutdown. */
export type Connect = <Scripts extends RedisScripts>(
  options: Omit<ConnectionOptions<Scripts>, 'url' | 'ca' | 'timeoutMs' | 'log' | 'replicas'>,
) => ReturnType<typeof connectRedis<Scripts>>;

/** What an application is made of. */
export interface ServiceContext<Config extends CommonConfig = CommonConfig> {
  config: Config;
  /** INSTANCE, the name of the container, or the host name until the instance claims a better one. */
  instance: { name: string };
  connect: Connect;
  log: Logger;
  /** Resolves to the port when the server listens. */
  listening: Promise<number>;
  /** Aborts when the process is asked to end. */
  draining: AbortSignal;
  /** Registers work for the time between the last reply and the end of the Redis clients. */
  onShutdown: (work: () => Promise<unknown>) => void;
}

/**
 * Runs an application as this process: reads its settings, connects to Redis, listens, and shuts
 * down in order at SIGTERM or Ctrl-C, with exit code 0. If it cannot start, it says why in one line
 * and exits with code 1.
 */
export async function runService<Config extends CommonConfig>(
  readConfig: (env: NodeJS.ProcessEnv) => Config,
  createApp: (context: ServiceContext<Config>) => Express,
): Promise<void> {
  const config = await configOrExit(readConfig);
  const { REDIS_URL, REDIS_PASSWORD: password, REDIS_CA_FILE: ca } = config;
  const url = password === undefined ? REDIS_URL : withPassword(REDIS_URL, password);
  const { REDIS_TIMEOUT_MS: timeoutMs, REDIS_WAIT_REPLICAS: replicas } = config;
  const instance = { name: config.INSTANCE ?? hostname() };
  const log = createLogger(config.LOG_LEVEL, instance);
  const tracing = await startTracing(config, instance, log);
  const clients: (EventEmitter & Parameters<typeof closeRedis>[0])[] = [];
  const connect: Connect = (options) => {
    tracing?.nameScripts(options.scripts);
    const client = connectRedis({ url, ...(ca && { ca }), timeoutMs, replicas, log, ...options });
    clients.push(client);
    return client;
  };
  const { promise: listening, resolve: hasPort } = Promise.withResolvers<number>();
  const drain = new AbortController();
  const lastWork: (() => Promise<unknown>)[] = tracing ? [() => tracing.flush()] : [];
  const app = createApp({
    config,
    instance,
    connect,
    log,
    listening,
    draining: drain.signal,
    onShutdown: (work) => void lastWork.push(work),
  });
  const server = new HttpServer(app);

  const shutDown = async (signal: NodeJS.Signals) => {
    log.info(`${signal}: draining`);
    drain.abort();
    const cut = await server.drain(DRAIN_MS);
    if (cut > 0) log.warn(`${cut} requests were cut off`);
    await Promise.allSettled(lastWork.map((work) => work()));
    await Promise.all(clients.map((client) => closeRedis(client, CLOSE_REDIS_MS)));
    log.info('ended');
    process.exit(0);
  };
  process.once('SIGTERM', shutDown);
  process.once('SIGINT', shutDown);

  // A proxy that finds instances by name sends requests to one as soon as it listens. Without Redis
  // the instance listens too, so that its health checks can say what is wrong.
  const ready = clients.map((client) => new Promise((resolve) => client.once('ready', resolve)));
  await Promise.race([Promise.all(ready), delay(CONNECT_MS)]);
  freeMemory(); // before the first request, which would wait
  try {
    const port = await server.listen(config.PORT, config.HOST);
    log.info(`listening on ${config.HOST}:${port}`);
    hasPort(port);
  } catch (err) {
    const { code, message } = err as NodeJS.ErrnoException;
    const reason = code === 'EADDRINUSE' ? 'another program uses it' : message;
    await exit(`PORT=${config.PORT}: cannot listen on ${config.HOST}: ${reason}`);
  }
}

/**
 * Frees the memory that loading the code has used. V8 collects garbage only if it needs memory, so an
 * idle process would keep it. Does nothing without `node --expose-gc`.
 */
function freeMemory(): void {
  globalThis.gc?.({ type: 'major', flavor: 'last-resort' });
}

/** Loads the code only if traces are asked for. */
async function startTracing(
  config: CommonConfig,
  instance: { name: string },
  log: Logger,
): Promise<Tracing | undefined> {
  const url = tracesUrl(config);
  if (!url) return undefined;
  const { Tracing } = await import('./tracing.ts');
  const service = basename(dirname(process.argv[1] ?? ''));
  return new Tracing({ config, url, service, instance, log });
}

/** One JSON object a line, with the name of the instance at that time. */
function createLogger(level: string, instance: { name: string }): Logger {
  return pino({
    level,
    base: null,
    mixin: () => ({ instance: instance.name }),
    formatters: { level: (label) => ({ level: label }) },
    timestamp: pino.stdTimeFunctions.isoTime,
  });
}

async function configOrExit<Config>(
  readConfig: (env: NodeJS.ProcessEnv) => Config,
): Promise<Config> {
  try {
    const INSTANCE = process.env.INSTANCE || (await containerName());
    return readConfig({ ...process.env, INSTANCE });
  } catch (err) {
    if (err instanceof ConfigError) return exit(err.message);
    throw err;
  }
}

async function exit(message: string): Promise<never> {
  process.stderr.write(`${message}\n`);
  // `docker compose up` stops printing logs as soon as a container ends.
  if (process.pid === 1) await delay(PRINTED_MS);
  process.exit(1);
}
