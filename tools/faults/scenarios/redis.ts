// A Redis that hangs, is slow, or crashes.
import { DelayedRedis } from '../../lib/delayed-redis.ts';
import { pidsOf, showUse, steadyUsesOf, usesOf } from '../../lib/process-use.ts';
import { inRedis } from '../../lib/redis-client.ts';
import { send } from '../../lib/visitor.ts';
import type { Environment, Scenario } from '../environment.ts';
import type { Outcome } from '../load.ts';

/** Milliseconds in which every request must be answered, also without Redis. */
const REPLY_MS = 2000;
/** Milliseconds after the end of an outage in which the last failure must occur. */
const RECOVERY_MS = 2000;
/** Milliseconds between two probes of the instances. */
const PROBE_MS = 250;

const isClear503 = ({ status, retryAfter }: Outcome) => status === 503 && retryAfter !== undefined;

const redisPause: Scenario = {
  name: 'redis-pause',
  should: 'report within two seconds that Redis hangs, and recover within two seconds',
  mayFail: isClear503,
  async run(environment) {
    await environment.startLoad();
    await pauseRedis(environment, environment.amount(5000, 2500));
  },
};

/** Redis accepts connections and commands, and does not answer. */
const clientPause: Scenario = {
  name: 'client-pause',
  should: 'report within two seconds that Redis does not answer, and recover within two seconds',
  mayFail: isClear503,
  async run(environment) {
    await environment.startLoad();
    const ms = environment.amount(5000, 2500);
    const pause = ['CLIENT', 'PAUSE', String(ms), 'ALL']; // it ends without another command
    await outage(environment, ms, () =>
      inRedis(environment.stack.redis.url, (redis) => redis.sendCommand(pause)),
    );
  },
};

/** Redis answers all commands, but too late. */
const slowRedis: Scenario = {
  name: 'slow-redis',
  should: 'report within two seconds that Redis is too slow, and recover within two seconds',
  mayFail: isClear503,
  async run(environment) {
    const proxy = await DelayedRedis.inFrontOf(environment.stack.redis);
    environment.resources.use(proxy);
    await requireReady(environment, 5000);
    await environment.startLoad();
    const setDelay = (ms: number) => () => {
      proxy.delayMs = ms;
    };
    await outage(environment, environment.amount(8000, 3500), setDelay(1500), setDelay(0));
  },
};

/** A long outage under full load: waiting commands must not fill the memory. */
const outage60s: Scenario = {
  name: 'outage-60s',
  should: 'not grow by 50 MB in a long outage of Redis, and recover within two seconds',
  mayFail: isClear503,
  async run(environment) {
    await environment.startLoad();
    const { instances } = environment.stack;
    const before = await steadyUsesOf(instances, environment.amount(60_000, 1500));
    await pauseRedis(environment, environment.amount(60_000, 5000));
    const after = showUse(await usesOf(instances), 'rssMb');
    environment.note(`RSS ${showUse(before, 'rssMb')} MB before, ${after} after`);
    await environment.requireSteadyMemory(before);
  },
};

/** Redis crashes and is started again. */
function redisKill(appendfsync: 'always' | 'everysec', should: string): Scenario {
  const run: Scenario['run'] = async (environment) => {
    const { redis } = environment.stack;
    await environment.startLoad();
    await requireSurvival(environment, async () => {
      for (let round = 0; round < environment.amount(2, 1); round += 1) {
        // After a restart Redis has the settings of its file again.
        await inRedis(redis.url, (client) => client.configSet('appendfsync', appendfsync));
        await environment.wait(2500, 1200);
        await redis.kill();
        if (appendfsync === 'everysec') environment.allowLossOfLastSecond();
        await environment.wait(1000, 500);
        await redis.start();
        await requireRecovery(environment);
      }
    });
  };
  const setting = `, with appendfsync ${appendfsync}`;
  return { name: `redis-kill-${appendfsync}`, should: should + setting, mayFail: isClear503, run };
}

export const redisScenarios: Scenario[] = [
  redisPause,
  clientPause,
  slowRedis,
  redisKill('always', 'lose nothing that was answered if Redis is killed'),
  redisKill('everysec', 'lose at most the last second if Redis is killed'),
  outage60s,
];

async function pauseRedis(environment: Environment, ms: number): Promise<void> {
  const { redis } = environment.stack;
  const [begin, end] = [() => redis.pause(), () => redis.resume()];
  await outage(environment, ms, begin, end);
}

/** Makes Redis fail for some milliseconds, and checks that the instances live meanwhile. */
async function outage(
  environment: Environment,
  ms: number,
  begin: () => unknown,
  end: () => unknown = () => {},
): Promise<void> {
  await requireSurvival(environment, async () => {
    await environment.wait(1000, 300);
    const until = performance.now() + ms;
    await begin();
    await requireLive(environment, until);
    await end();
    await requireRecovery(environment);
  });
}

/** Requires that `fault` makes requests fail, all in time, and that no instance is replaced. */
async function requireSurvival(environment: Environment, fault: () => Promise<void>) {
  const { instances } = environment.stack;
  const pids = await pidsOf(instances);
  await fault();
  await environment.stopLoad();
  environment.require(environment.failures.length > 0, 'the fault was not noticed');
  environment.requireFasterThan(REPLY_MS);
  const isSame = (await pidsOf(instances)).join() === pids.join();
  environment.require(isSame, 'instances were replaced');
}

/** Requires that all instances are ready, and that requests succeed two seconds from now. */
async function requireRecovery(environment: Environment): Promise<void> {
  const at = performance.now();
  await requireReady(environment, RECOVERY_MS);
  await environment.wait(4000, 2500);
  const after = environment.failures.filter(({ from, ms }) => from + ms > at);
  const lastMs = Math.max(0, ...after.map(({ from, ms }) => from + ms - at));
  environment.note(`last failure ${Math.round(lastMs)} ms after its end`);
  const late = after.filter(({ from }) => from > at + RECOVERY_MS);
  environment.requireNone(late, `still failing after ${RECOVERY_MS} ms`);
}

async function requireReady(environment: Environment, ms: number): Promise<void> {
  await environment.requireWithin(ms, 'all instances ready', async () => {
    for (const { name, port } of environment.stack.instances) {
      const { status } = await send(`http://127.0.0.1:${port}/readyz`);
      if (status !== 200) throw new Error(`${name} /readyz ${status}`);
    }
  });
}

/** Probes the liveness of all instances until that time. */
async function requireLive(environment: Environment, until: number): Promise<void> {
  let slowest = 0;
  await environment.repeat(until - performance.now(), PROBE_MS, async () => {
    const probes = environment.stack.instances.map(async ({ name, port }) => {
      const { status, ms } = await send(`http://127.0.0.1:${port}/livez`);
      slowest = Math.max(slowest, ms);
      environment.require(status === 200, `${name} /livez ${status}`);
    });
    await Promise.all(probes);
  });
  environment.note(`slowest /livez ${Math.round(slowest)} ms`);
}
