import { quoted } from '../../../tools/lib/errors.mjs';
import { type Reply, send } from '../../../tools/lib/visitor.ts';
import { type Deployment, inBackground } from '../../kit/environment.ts';
import { type Exercise, must } from '../../kit/exercise.ts';

/** Instances of the stack. */
const INSTANCES = 3;
const AT_ONCE = 50;
/** Orders in progress when an instance is killed; a third of them is at that instance. */
const IN_PROGRESS = 30;

/** Requests that show that the instances have begun the requests before. */
const PROBES = 30;

/** Sends an order. The reply is not checked. */
function order({ url }: Deployment, key: string, item: string): Promise<Reply> {
  const headers = { 'content-type': 'application/json', 'idempotency-key': key };
  return send(`${url}/orders`, { method: 'POST', headers, body: JSON.stringify({ item }) });
}

/** What a participant reads about a reply. */
function shown({ status, body }: Reply): string {
  return `${status} with ${quoted(body)}`;
}

/** The number of an order. @throws {Error} if the reply is not 201 with a number */
function numberOf(reply: Reply): number {
  const [, number] = /"number":(\d+)/.exec(reply.body) ?? [];
  must(
    reply.status === 201 && number,
    `POST /orders answered ${shown(reply)}, not 201 with {"number":N}.`,
  );
  return Number(number);
}

/** The number of orders by item. @throws {Error} if GET /orders does not answer a list of items */
async function orders({ url }: Deployment): Promise<Map<string, number>> {
  const reply = await send(`${url}/orders`);
  must(
    reply.status === 200 && reply.body.startsWith('['),
    `GET /orders answered ${shown(reply)}, not 200 with a list of items.`,
  );
  const counts = new Map<string, number>();
  for (const item of JSON.parse(reply.body)) counts.set(item, (counts.get(item) ?? 0) + 1);
  return counts;
}

/** Sends orders while Redis is paused, so that all are in progress at once. */
async function orderDuringPause(
  deployment: Deployment,
  items: { key: string; item: string }[],
  beforeResume = async () => {},
): Promise<Reply[]> {
  await deployment.control('pause', 'redis');
  const sent = inBackground(
    Promise.all(items.map(({ key, item }) => order(deployment, key, item))),
  );
  // An instance answers these after it has sent its first commands for the orders.
  for (let i = 0; i < PROBES; i += 1) await send(`${deployment.url}/no-such-page`);
  await beforeResume();
  await deployment.control('resume', 'redis');
  return sent;
}

const exercise: Exercise = {
  lesson: 'kill-an-instance',
  rule: 'A request and its idempotency key are stored in one step, together with the reply.',
  steps: [
    {
      title: 'A retry gets the first reply, and orders nothing',
      async run(deployment) {
        const first = await order(deployment, 'key-of-ada', 'tea');
        const number = numberOf(first);
        const sent = 2 * INSTANCES;
        const retries: Reply[] = [];
        for (let i = 1; i < sent; i += 1) {
          retries.push(await order(deployment, 'key-of-ada', 'tea'));
        }
        const ordered = (await orders(deployment)).get('tea') ?? 0;
        const what = `One order was sent ${sent} times with the same Idempotency-Key. It was stored ${ordered} times.`;
        must(
          ordered !== INSTANCES,
          `${what} That is once by each instance: an instance remembers only its own requests.`,
        );
        must(
          ordered === 1,
          `${what} For the program, a retry is a new order: it does not look whether it knows the key.`,
        );
        const other = retries.find(({ status, body }) => status !== 201 || body !== first.body);
        must(
          !other,
          `The first reply was ${shown(first)}, and a retry got ${other && shown(other)}. A client that retries has not received the first reply, and needs it.`,
        );
        const secondNumber = numberOf(await order(deployment, 'key-of-ben', 'tea'));
        const both = (await orders(deployment)).get('tea');
        must(
          both === 2 && secondNumber !== number,
          `A second client ordered with another key, and got the number ${secondNumber}. The first client has the number ${number}, and ${both} orders are stored. Different keys are two orders, even if the item is the same.`,
        );
        return `1 order for ${sent} requests`;
      },
    },
    {
      title: `${AT_ONCE} requests at once with the same key are one order`,
      async run(deployment) {
        const same = { key: 'key-at-once', item: 'coffee' };
        const replies = await orderDuringPause(deployment, Array(AT_ONCE).fill(same));
        const ordered = (await orders(deployment)).get('coffee') ?? 0;
        must(
          ordered <= 1,
          `${AT_ONCE} requests with the same key came at once, and ${ordered} orders were stored. Several requests look for the key before one of them has remembered it.`,
        );
        const numbers = new Set(replies.map(numberOf));
        must(
          ordered === 1 && numbers.size === 1,
          `${AT_ONCE} requests with the same key came at once. ${ordered} orders were stored, and the replies have ${numbers.size} different numbers.`,
        );
        return `${ordered} order`;
      },
    },
    {
      title: 'A key is forgotten some day: it has a time to live',
      async run(deployment) {
        const keys = (await deployment.redis('KEYS', '*key-of-ada*')).split('\n').filter(Boolean);
        const ttls = await Promise.all(keys.map((key) => deployment.redis('TTL', key)));
        const endless = keys.find((_, i) => Number(ttls[i]) < 0);
        must(
          endless === undefined,
          `The key ${endless} never expires. Every order leaves one, until the memory is full.`,
        );
        return ttls[0] ? `${ttls[0]} s` : 'no key with this name';
      },
    },
    {
      title: 'No order is lost or stored twice if an instance crashes',
      async run(deployment) {
        const items = Array.from({ length: IN_PROGRESS }, (_, i) => `item-${i}`);
        const replies = await orderDuringPause(
          deployment,
          items.map((item) => ({ key: `key-of-${item}`, item })),
          () => deployment.control('kill', 'app-1'),
        );
        const counts = await orders(deployment);
        const lost = items.filter((item) => !counts.has(item)).length;
        const twice = items.filter((item) => (counts.get(item) ?? 0) > 1).length;
        const what = `app-1 was killed while ${IN_PROGRESS} orders waited for Redis. Redis still ran the commands that app-1 had sent, and nginx sent its requests to other instances.`;
        must(
          lost === 0,
          `${what} ${lost} orders are lost. app-1 stored their keys and died before it stored the orders: the retry finds its key and does not order.`,
        );
        must(
          twice === 0,
          `${what} ${twice} orders were stored twice. app-1 stored them and died before it stored their keys.`,
        );
        for (const reply of replies) numberOf(reply);
        return `${IN_PROGRESS} of ${IN_PROGRESS}, each once`;
      },
    },
  ],
};

export default exercise;
