import { once } from 'node:events';
import type { Express } from 'express';
import { type Logger, pino } from 'pino';
import type { RedisScripts } from 'redis';
import { type CommonConfig, ConfigError } from './config.ts';
import { closeRedis, createRedis, type Redis, type RedisOptions } from './redis.ts';
import { HttpServer } from './server.ts';
import { sessionScripts } from './session-scripts.ts';

/** Milliseconds that requests under way, and then Redis, are given at the end: 10 s in all. */
const DRAIN_MS = 8000;
const CLOSE_REDIS_MS = 1000;

/** Makes a client of the service's Redis; it is closed when the service ends. */
export type Connect = <Scripts extends RedisScripts>(
  options: Pick<RedisOptions<Scripts>, 'name' | 'scripts' | 'clientSideCache'>,
) => ReturnType<typeof createRedis<Scripts>>;

/** What a service is made of. */
export interface Parts<Config extends CommonConfig = CommonConfig> {
  config: Config;
  /** The client for its sessions. */
  redis: Redis;
  /** Makes another client of the same Redis. */
  connect: Connect;
  log: Logger;
  /** True once the process has been asked to end. */
  isDraining: () => boolean;
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
  const log = pino({
    level: config.LOG_LEVEL,
    base: { instance: config.INSTANCE },
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
  const isDraining = () => server.isDraining;
  const server = new HttpServer(createApp({ config, redis, connect, log, isDraining }));

  const shutDown = async (signal: NodeJS.Signals) => {
    log.info(`${signal}: draining`);
    const cut = await server.drain(DRAIN_MS);
    if (cut > 0) log.warn(`${cut} requests were cut off`);
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
