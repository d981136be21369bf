import { rudeClients } from './scenarios/clients.ts';
import { hang, kill, longHang, rolling, scale, slowRoute } from './scenarios/instances.ts';
import { memory } from './scenarios/memory.ts';
import { nginxReload } from './scenarios/nginx.ts';
import {
  clientPause,
  outage60s,
  redisKillAlways,
  redisKillEverysec,
  redisPause,
  slowRedis,
} from './scenarios/redis.ts';
import type { Scenario } from './stage.ts';

/** All scenarios, in the order in which they are run. */
export const scenarios: Scenario[] = [
  kill,
  rolling,
  scale,
  hang,
  longHang,
  slowRoute,
  redisPause,
  clientPause,
  slowRedis,
  redisKillAlways,
  redisKillEverysec,
  nginxReload,
  rudeClients,
  outage60s,
  memory,
];
