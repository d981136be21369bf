import { once } from 'node:events';
import { hostname } from 'node:os';
import type { Express } from 'express';
import { type Logger, pino } from 'pino';
import type { RedisScripts } from 'redis';
import { sessionScripts } from '../session/scripts.ts';
import { type CommonConfig, ConfigError } from './config.ts';
import { closeRedis, createRedis, type Redis, type RedisOptions } from './redis.ts';
import { HttpServer } from './server.ts';

/** Milliseconds that requests under way, and then Redis, are given at the end: 10 s in all. */
const DRAIN_MS = 8000;
const CLOSE_REDIS_MS = 1000;

/** Makes a client of the service's Redis; it is closed when the service ends. */
export type Connect = <Scripts extends RedisScripts>(
  options: Pick<RedisOptions<Scripts>, 'name' | 'scripts' | 'clientSideCache'>,
) => ReturnType<typeof createRedis<Scripts>>;

/** Which of several instances this process is. */
export interface Identity {
  /** INSTANCE, or else the host name until a better one is found. */
  name: string;
}

/** What a service is made of. */
export interface Parts<Config extends CommonConfig = CommonConfig> {
  config: Config;
  identity: Identity;
  /** The client for its sessions. */
  redis: Redis;
  /** Makes another client of the same Redis. */
  connect: Connect;
  log: Logger;
  /** Aborts when the process is asked to end. */
  draining: AbortSignal;
  /** Has `work` done when the last request has been answered, before Redis is let go of. */
  atEnd: (work: () => Promise<unknown>) => void;
}

/**
 * Runs a service as this process: reads its settings, connects to Redis, listens, and at SIGTERM or
 * Ctrl-C ends in order, with exit code 0. Where it cannot start it says so in one line and exits 1.
 */
export async function runService<Config extends CommonConfig>(
  readConfig: (env: NodeJS.ProcessEnv) => Config,
  createApp: (parts: Parts<Config>) => Express,
): Promise<void> {
  const config = configOrExit(readConfig);
  const identity = { name: config.INSTANCE ?? hostname() };
  const log = pino({
    level: config.LOG_LEVEL,
    base: null,
    mixin: () => ({ instance: identity.name }),
    formatters: { level: (label) => ({ level: label }) },
    timestamp: pino.stdTimeFunctions.isoTime,
  });
  const clients: Pick<Redis, 'close' | 'destroy'>[] = [];
  const connect: Connect = (options) => {
    const { REDIS_URL: url, REDIS_TIMEOUT_MS: timeoutMs } = config;
    const client = createRedis({ url, timeoutMs, log, ...options });
    clients.push(client);
    return client;
  };
  const redis = connect({ name: 'Redis', scripts: sessionScripts });
  const ending = new AbortController();
  const lastWork: (() => Promise<unknown>)[] = [];
  const atEnd: Parts['atEnd'] = (work) => void lastWork.push(work);
  const parts = { config, identity, redis, connect, log, draining: ending.signal, atEnd };
  const server = new HttpServer(createApp(parts));

  const shutDown = async (signal: NodeJS.Signals) => {
    log.info(`${signal}: draining`);
    ending.abort();
    const cut = await server.drain(DRAIN_MS);
    if (cut > 0) log.warn(`${cut} requests were cut off`);
    await Promise.allSettled(lastWork.map((work) => work()));
    await Promise.all(clients.map((client) => closeRedis(client, CLOSE_REDIS_MS)));
    log.info('ended');
    process.exit(0);
  };
  process.once('SIGTERM', shutDown);
  process.once('SIGINT', shutDown);

  // So that the first requests find Redis. Without it the instance starts all the same, unready.
  const signal = AbortSignal.timeout(config.REDIS_TIMEOUT_MS);
  await once(redis, 'ready', { signal }).catch(() => {});
  try {
    const port = await server.listen(config.PORT, config.HOST);
    log.info(`listening on ${config.HOST}:${port}`);
  } catch (err) {
    const { code, message } = err as NodeJS.ErrnoException;
    const reason = code === 'EADDRINUSE' ? 'another program has it' : message;
    exit(`PORT=${config.PORT}: cannot listen on ${config.HOST}: ${reason}`);
  }
}

function configOrExit<Config>(readConfig: (env: NodeJS.ProcessEnv) => Config): Config {
  try {
    return readConfig(process.env);
  } catch (err) {
    if (err instanceof ConfigError) exit(err.message);
    throw err;
  }
}

function exit(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}
