import { pino } from 'pino';
import { createApp } from './app.ts';
import { type Config, ConfigError, readConfig } from './config.ts';
import { closeRedis, createRedis } from './redis.ts';
import { HttpServer } from './server.ts';

/** Milliseconds that requests under way, and then Redis, are given at the end: 10 s in all. */
const DRAIN_MS = 8000;
const CLOSE_REDIS_MS = 1000;

const config = configOrExit();
const log = pino({
  level: config.LOG_LEVEL,
  base: { instance: config.INSTANCE },
  formatters: { level: (label) => ({ level: label }) },
  timestamp: pino.stdTimeFunctions.isoTime,
});
const redis = createRedis({ url: config.REDIS_URL, timeoutMs: config.REDIS_TIMEOUT_MS, log });
const app = createApp({ config, redis, log, isDraining: () => server.isDraining });
const server = new HttpServer(app);

process.once('SIGTERM', shutDown);
process.once('SIGINT', shutDown);
try {
  const port = await server.listen(config.PORT, config.HOST);
  log.info(`listening on ${config.HOST}:${port}`);
} catch (err) {
  const { code, message } = err as NodeJS.ErrnoException;
  const reason = code === 'EADDRINUSE' ? 'another program has it' : message;
  exit(`PORT=${config.PORT}: cannot listen on ${config.HOST}: ${reason}`);
}

async function shutDown(signal: NodeJS.Signals): Promise<void> {
  log.info(`${signal}: draining`);
  const cut = await server.drain(DRAIN_MS);
  if (cut > 0) log.warn(`${cut} requests were cut off`);
  await closeRedis(redis, CLOSE_REDIS_MS);
  log.info('ended');
  process.exit(0);
}

function configOrExit(): Config {
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
