import { createServer } from 'node:http';
import { pino } from 'pino';
import { createRedis } from '../../../services/shared/process/redis.ts';

const redis = createRedis({
  url: process.env.REDIS_URL ?? '',
  timeoutMs: 400,
  log: pino(),
  name: 'Redis',
  scripts: {},
});

createServer(async (_req, res) => {
  try {
    res.end(`Views: ${await redis.incr('views')}`);
  } catch {
    res.writeHead(503).end('Redis is unavailable. Please try again.');
  }
}).listen(Number(process.env.PORT));
