import { eventually } from '../../tools/lib/eventually.ts';
import { newVisitors, saturate } from '../../tools/lib/load.ts';
import { send } from '../../tools/lib/visitor.ts';
import type { Lab, Setup, Site } from '../kit/lab.ts';
import { atLeast, exactly, lesson } from '../kit/lesson.ts';

const INSTANCES = 3;
const REQUESTS = 30;
/** So little of a core that three instances leave most of the machine to all else. */
const SHARE = 0.05;
const VISITORS = 12;
/** For each instance: it seldom waits for a request, and no request waits long for it. */
const CONNECTIONS = 4;
/** Of a round. At such a share single seconds differ by a factor of two. */
const SECONDS = 2;
/** What else this machine does can only take away, so the best one counts. */
const ROUNDS = 3;
/** All of it is done again where something took the machine for so long that no gain was seen. */
const ATTEMPTS = 3;
/** What three instances answer at least, over what one does; it is 2 to 3 times. */
const GAIN = 1.3;
const NO_QUOTA = 'no limit to be had here';

/** nginx as most configurations have it: names are looked up once, when it reads them. */
function lookedUpOnce(upstream: string): string {
  return upstream.replaceAll(' resolve ', ' ');
}

/** One instance becomes three; then thirty requests. */
async function scaleOut(lab: Lab, setup: Setup, announced: boolean) {
  const site = await lab.start({ ...setup, scale: 1 });
  const [old = ''] = await whoAnswers(site, 1);
  await site.scale(INSTANCES, { announced });
  if (announced) await untilAnswering(site, INSTANCES);
  const answered = await whoAnswers(site, REQUESTS);
  return {
    site,
    instances: new Set(answered).size,
    byNewOnes: answered.filter((instance) => instance !== old).length,
  };
}

/** The instances that answer some requests, one after the other. */
async function whoAnswers(site: Site, requests: number): Promise<string[]> {
  const instances: string[] = [];
  for (let i = 0; i < requests; i += 1) {
    const { headers } = await send(`${site.url}/livez`);
    instances.push(String(headers['x-instance']));
  }
  return instances;
}

/** Resolves when exactly that many instances answer. */
async function untilAnswering(site: Site, count: number): Promise<void> {
  await eventually(async () => {
    const { size } = new Set(await whoAnswers(site, 2 * INSTANCES));
    if (size !== count) throw new Error(`${size} instances answer, not ${count}`);
  });
}

/** Requests a second that one, two and three instances answer, where each may use the same share of a core. */
async function throughput(site: Site): Promise<string> {
  const cookies = await newVisitors(site.url, VISITORS);
  const asks = cookies.map((cookie) => ({ path: '/', cookie }));
  const answers = async (count: number): Promise<number> => {
    const { perSecond } = await saturate(site.url, CONNECTIONS * count, SECONDS, asks);
    return Math.round(perSecond);
  };
  const best = Array.from({ length: INSTANCES }, () => 0);
  for (let attempt = 0; attempt < ATTEMPTS && !gains(best); attempt += 1) {
    await site.scale(INSTANCES);
    await untilAnswering(site, INSTANCES);
    await answers(INSTANCES); // code that runs for the first time takes longer
    const lift = await site.limitCpu(SHARE);
    if (!lift) return NO_QUOTA;
    try {
      for (let count = INSTANCES; count > 0; count -= 1) {
        if (count < INSTANCES) await site.scale(count); // those that stay are warm
        await untilAnswering(site, count);
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

/** Tells whether three instances answered that much more a second than one. */
function gains([one = 0, , three = 0]: number[]): boolean {
  return one > 0 && three >= GAIN * one;
}

export default lesson({
  claim:
    'An nginx that looks its instances up once sends nothing to those that are started later; one that is told, or looks again, uses them at once, and three answer more than one.',
  wrong: {
    what: 'the list of instances is as it was when nginx started',
    predicted: {
      'instances that answered, of 3': exactly(1),
      'answers by new ones, of 30': exactly(0),
    },
    observe: async (lab) => {
      const setup = { nginx: { upstream: lookedUpOnce } };
      const { instances, byNewOnes } = await scaleOut(lab, setup, false);
      return {
        'instances that answered, of 3': instances,
        'answers by new ones, of 30': byNewOnes,
      };
    },
  },
  right: {
    what: 'nginx is told, or looks the name up again (resolve)',
    predicted: {
      'instances that answered, of 3': exactly(INSTANCES),
      'answers by new ones, of 30': atLeast(15),
      'requests/s by 1, 2, 3 instances': {
        text: `3 at least ${GAIN} times 1`,
        holds: (seen) => seen === NO_QUOTA || gains(String(seen).split(', ').map(Number)),
      },
    },
    observe: async (lab) => {
      const { site, instances, byNewOnes } = await scaleOut(lab, {}, true);
      return {
        'instances that answered, of 3': instances,
        'answers by new ones, of 30': byNewOnes,
        'requests/s by 1, 2, 3 instances': await throughput(site),
      };
    },
  },
  verdict: (wrong, right) =>
    `Two more instances answered ${wrong['answers by new ones, of 30']} of 30 requests where nginx did not know of them, ${right['answers by new ones, of 30']} where it did; requests a second by 1, 2 and 3 of them: ${right['requests/s by 1, 2, 3 instances']}.`,
});
