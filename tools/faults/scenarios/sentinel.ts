// A Redis with two replicas, whose primary three Sentinels replace.
import { spawnSync } from 'node:child_process';
import type { Redis } from '../../stack/redis.ts';
import { PEER_ADDRESS } from '../../stack/redis-sentinel.ts';
import type { Environment, Scenario } from '../environment.ts';
import type { Outcome } from '../load.ts';

/** Milliseconds after a fault in which requests must succeed again. Three seconds are usual. */
const BACK_MS = 5000;
/** Milliseconds in which every request must be answered. */
const REPLY_MS = 2000;

const isClear503 = ({ status, retryAfter }: Outcome) => status === 503 && retryAfter !== undefined;

function scenario(
  name: string,
  should: string,
  run: Scenario['run'],
  more: Pick<Scenario, 'mayFail' | 'isLong' | 'missing'> = {},
): Scenario {
  const env = { REDIS_WAIT_REPLICAS: '1' };
  return { name, should, redis: 'sentinel', env, run, ...more };
}

/** Breaks the primary, and requires that another one serves soon. */
function primaryFault(begin: 'kill' | 'pause', end: 'start' | 'resume') {
  return async (environment: Environment) => {
    await environment.startLoad();
    await environment.wait(2000, 1000);
    const primary = await primaryOf(environment);
    const at = performance.now();
    await primary[begin]();
    await environment.wait(8000, 6000);
    const last = Math.max(0, ...environment.failures.map(({ from, ms }) => from + ms - at));
    environment.note(`${primary.name} was the primary; last failure ${Math.round(last)} ms later`);
    environment.require(last > 0, 'the fault was not noticed');
    environment.require(last < BACK_MS, `requests failed for ${Math.round(last)} ms`);
    const successor = await primaryOf(environment);
    environment.require(successor !== primary, 'there is no other primary');
    await primary[end]();
    await environment.requireWithin(20_000, 'a replica again', () => requireReplica(primary));
    await environment.wait(2000, 1000);
    environment.requireFasterThan(REPLY_MS);
  };
}

/** Separates the primary and its clients from the replicas and the Sentinels, and heals that. */
async function cutOff(environment: Environment): Promise<void> {
  await environment.startLoad();
  await environment.wait(2000, 1000);
  const primary = await primaryOf(environment);
  const { processes } = environment.stack.topology;
  const sentinels = processes.filter(({ name }) => name.startsWith('sentinel'));
  const rules = [
    ['-s', PEER_ADDRESS, '--dport', String(primary.port)],
    ...sentinels.map(({ port }) => ['-s', '127.0.0.1', '--dport', String(port)]),
  ];
  const change = (action: '-I' | '-D') => {
    for (const rule of rules) iptables(action, 'INPUT', '-p', 'tcp', ...rule, '-j', 'DROP');
  };
  change('-I');
  try {
    await environment.wait(8000, 6000);
  } finally {
    change('-D');
  }
  const at = performance.now();
  await environment.wait(8000, 6000);
  const last = Math.max(0, ...environment.failures.map(({ from, ms }) => from + ms - at));
  environment.note(`${primary.name} was cut off; last failure ${Math.round(last)} ms after`);
  environment.require(last < BACK_MS, `requests failed for ${Math.round(last)} ms`);
  environment.require((await primaryOf(environment)) !== primary, 'there is no other primary');
  environment.requireFasterThan(REPLY_MS);
}

function iptables(...args: string[]): void {
  const { status, stderr } = spawnSync('iptables', ['--wait', ...args], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`iptables ${args.join(' ')}: ${stderr}`);
}

const mayFilter = spawnSync('iptables', ['--list']).status === 0;

export const sentinelScenarios: Scenario[] = [
  scenario(
    'primary-cut-off',
    'lose nothing that was answered if the primary is cut off together with its clients',
    cutOff,
    {
      mayFail: isClear503,
      missing: mayFilter ? undefined : 'only root can separate processes, with iptables',
    },
  ),
  scenario(
    'primary-killed',
    'lose nothing and write again within five seconds if the primary is killed',
    primaryFault('kill', 'start'),
    { mayFail: isClear503 },
  ),
  scenario(
    'primary-hangs',
    'lose nothing and write again within five seconds if the primary hangs and comes back',
    primaryFault('pause', 'resume'),
    { mayFail: isClear503, isLong: true },
  ),
  scenario(
    'replica-killed',
    'fail no request if one of two replicas is killed',
    async (environment) => {
      await environment.startLoad();
      await environment.wait(2000, 1000);
      const primary = await primaryOf(environment);
      const { processes } = environment.stack.topology;
      const replica = processes.find((one) => one !== primary) as Redis;
      await replica.kill();
      await environment.wait(4000, 2000);
      await replica.start();
      await environment.wait(2000, 1000);
      environment.requireFasterThan(REPLY_MS);
    },
    { isLong: true },
  ),
  scenario(
    'sentinels-gone',
    'fail no request while no Sentinel answers',
    async (environment) => {
      await environment.startLoad();
      const { processes } = environment.stack.topology;
      const sentinels = processes.filter(({ name }) => name.startsWith('sentinel'));
      await Promise.all(sentinels.map((sentinel) => sentinel.kill()));
      await environment.wait(4000, 2000);
      await Promise.all(sentinels.map((sentinel) => sentinel.start()));
      await environment.wait(2000, 1000);
      environment.requireFasterThan(REPLY_MS);
    },
    { isLong: true },
  ),
];

async function primaryOf({ stack: { topology } }: Environment): Promise<Redis> {
  const url = await topology.primaryUrl();
  return topology.processes.find((one) => one.url === url) as Redis;
}

async function requireReplica(redis: Redis): Promise<void> {
  const role = await redis.ask('ROLE');
  if (!role.includes('slave')) throw new Error(`its role: ${role}`);
}
