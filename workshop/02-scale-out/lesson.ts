import { eventually } from '../../tools/lib/eventually.ts';
import { newVisitors, viewConstantly } from '../../tools/lib/load.ts';
import { send } from '../../tools/lib/visitor.ts';
import type { Deployment, DeploymentOptions, Environment } from '../kit/environment.ts';
import { atLeast, exactly, harm, lesson } from '../kit/lesson.ts';

const INSTANCES = 3;
const REQUESTS = 30;
/** So small a share of a core that three instances leave most of the machine idle. */
const SHARE = 0.05;
const VISITORS = 12;
/** Per instance: it is seldom idle, and no request waits long. */
const CONNECTIONS = 4;
/** Per round. With such a share, single seconds differ by a factor of two. */
const SECONDS = 2;
/** Other load on this machine can only lower a result, so the best round counts. */
const ROUNDS = 3;
/** Repeats the measurement if other load hid the gain. */
const ATTEMPTS = 3;
/** The least gain of three instances over one; usually it is 2 to 3. */
const GAIN = 1.3;
const NO_LIMITS = 'no CPU limits on this system';

/** Looks up the name once, at the start of nginx, as most configurations do. */
function withoutResolve(upstream: string): string {
  return upstream.replaceAll(' resolve ', ' ');
}

/** Scales from one instance to three and sends thirty requests. */
async function scaleOut(
  environment: Environment,
  options: DeploymentOptions,
  updateNginx: boolean,
) {
  const deployment = await environment.start({ ...options, scale: 1 });
  const [old = ''] = await askInstances(deployment, 1);
  await deployment.scale(INSTANCES, { updateNginx });
  if (updateNginx) await untilAnswering(deployment, INSTANCES);
  const answered = await askInstances(deployment, REQUESTS);
  return {
    deployment,
    instances: new Set(answered).size,
    byNewOnes: answered.filter((instance) => instance !== old).length,
  };
}

/** Sends requests one after the other. Resolves to the names of the instances that answered. */
async function askInstances(deployment: Deployment, requests: number): Promise<string[]> {
  const instances: string[] = [];
  for (let i = 0; i < requests; i += 1) {
    const { headers } = await send(`${deployment.url}/livez`);
    instances.push(String(headers['x-instance']));
  }
  return instances;
}

/** Resolves once exactly `count` instances answer. */
async function untilAnswering(deployment: Deployment, count: number): Promise<void> {
  await eventually(async () => {
    const { size } = new Set(await askInstances(deployment, 2 * INSTANCES));
    if (size !== count) throw new Error(`${size} instances answer, not ${count}`);
  });
}

/** Requests per second of one, two and three instances, each with the same share of a core. */
async function throughput(deployment: Deployment): Promise<string> {
  const cookies = await newVisitors(deployment.url, VISITORS);
  const answers = async (count: number): Promise<number> => {
    const connections = CONNECTIONS * count;
    return Math.round(await viewConstantly(deployment.url, cookies, connections, SECONDS));
  };
  const best = Array.from({ length: INSTANCES }, () => 0);
  for (let attempt = 0; attempt < ATTEMPTS && !gains(best); attempt += 1) {
    await deployment.scale(INSTANCES);
    await untilAnswering(deployment, INSTANCES);
    await answers(INSTANCES); // warms up the code
    const lift = await deployment.limitCpu(SHARE);
    if (!lift) return NO_LIMITS;
    try {
      for (let count = INSTANCES; count > 0; count -= 1) {
        if (count < INSTANCES) await deployment.scale(count); // the others stay warm
        await untilAnswering(deployment, count);
        for (let round = 0; round < ROUNDS; round += 1) {
          best[count - 1] = Math.max(best[count - 1] ?? 0, await answers(count));
        }
      }
    } finally {
      await lift();
    }
  }
  return best.join(', ');
}

/** Whether three instances answered enough more requests per second than one. */
function gains([one = 0, , three = 0]: number[]): boolean {
  return one > 0 && three >= GAIN * one;
}

export default lesson({
  claim:
    'If nginx looks up its instances only once, instances that start later get no requests. If it gets the new list or looks again, it uses them at once, and three answer more than one.',
  asks: [
    {
      way: 'wrong',
      figure: 'instances that answered, of 3',
      question:
        'nginx starts with one instance and keeps its list. You start two more. How many of the three instances answer?',
    },
    {
      way: 'right',
      figure: 'answers from new instances, of 30',
      question:
        'nginx starts with one instance. You start two more, and nginx gets the new list. How many of 30 answers come from the new ones?',
    },
  ],
  wrong: {
    summary: 'nginx keeps the list of instances from its start',
    predicted: {
      'instances that answered, of 3': harm(exactly(1)),
      'answers from new instances, of 30': harm(exactly(0)),
    },
    observe: async (environment) => {
      const options = { nginx: { upstream: withoutResolve } };
      const { instances, byNewOnes } = await scaleOut(environment, options, false);
      return {
        'instances that answered, of 3': instances,
        'answers from new instances, of 30': byNewOnes,
      };
    },
  },
  right: {
    summary: 'nginx gets the new list, or looks up the name again (resolve)',
    predicted: {
      'instances that answered, of 3': exactly(INSTANCES),
      'answers from new instances, of 30': atLeast(15),
      'requests/s of 1, 2, 3 instances': {
        text: `3 at least ${GAIN} times 1`,
        holds: (seen) => seen === NO_LIMITS || gains(String(seen).split(', ').map(Number)),
        meaning: 'good',
      },
    },
    observe: async (environment) => {
      const { deployment, instances, byNewOnes } = await scaleOut(environment, {}, true);
      return {
        'instances that answered, of 3': instances,
        'answers from new instances, of 30': byNewOnes,
        'requests/s of 1, 2, 3 instances': await throughput(deployment),
      };
    },
  },
  verdict: (wrong, right) =>
    `New instances answered ${wrong['answers from new instances, of 30']} of 30 requests with the old list, ${right['answers from new instances, of 30']} with the new one; requests per second of 1, 2 and 3 instances: ${right['requests/s of 1, 2, 3 instances']}.`,
});
