import type { Scenario } from './environment.ts';
import { alerts } from './scenarios/alerts.ts';
import { rudeClients } from './scenarios/clients.ts';
import { clusterScenarios } from './scenarios/cluster.ts';
import { instanceScenarios } from './scenarios/instances.ts';
import { memory } from './scenarios/memory.ts';
import { nginxReload } from './scenarios/nginx.ts';
import { redisScenarios } from './scenarios/redis.ts';
import { sentinelScenarios } from './scenarios/sentinel.ts';

/** All scenarios, in the order in which they run. */
export const scenarios: Scenario[] = [
  ...instanceScenarios,
  ...redisScenarios,
  ...sentinelScenarios,
  ...clusterScenarios,
  nginxReload,
  rudeClients,
  memory,
  alerts,
];
