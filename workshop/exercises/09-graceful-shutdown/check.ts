import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from '../../../tools/lib/eventually.ts';
import { type Reply, send } from '../../../tools/lib/visitor.ts';
import { type Deployment, defaultRetries, replaceText } from '../../kit/environment.ts';
import { type Exercise, must } from '../../kit/exercise.ts';
import { askedInstances } from '../../kit/exercise-client.ts';

const INSTANCES = 3;
/** Four for each instance. */
const ORDERS = 4 * INSTANCES;
/** Milliseconds for the process to end. */
const END_MS = 3000;
/** Milliseconds from SIGTERM to the first new order: by then the process does not listen any more. */
const PAUSE_MS = 200;
/** Milliseconds between two new orders. A payment takes longer, so each instance is always busy. */
const INTERVAL_MS = 40;

let count = 0;

async function placeOrder({ url }: Deployment): Promise<Reply & { order: string }> {
  count += 1;
  const order = `order-${count}`;
  return { ...(await send(`${url}/orders/${order}`, { method: 'POST' })), order };
}

/** Stops an instance. Resolves to whether it has ended in time; otherwise it is killed. */
async function stop(deployment: Deployment, instance: string): Promise<boolean> {
  const stopped = deployment.control('stop', instance).then(() => true);
  const inTime = await Promise.race([stopped, delay(END_MS, false, { ref: false })]);
  if (!inTime) await deployment.control('kill', instance);
  return inTime;
}

async function list(deployment: Deployment, key: string): Promise<string[]> {
  return (await deployment.redis('LRANGE', key, '0', '-1')).split('\n').filter(Boolean);
}

/** @param when the orders were sent */
async function mustBeStored(deployment: Deployment, replies: Reply[], when: string) {
  const failed = replies.filter(({ status }) => status !== 201);
  const statuses = [...new Set(failed.map(({ status }) => status))].join(' and ');
  const [paid, stored] = [await list(deployment, 'payments'), await list(deployment, 'orders')];
  const lost = paid.filter((order) => !stored.includes(order)).length;
  const cause = failed.some(({ status }) => status === 502)
    ? 'The connections broke: the process ended before it had answered.'
    : 'The program answered that itself. Does it close something that these orders still need?';
  must(
    failed.length === 0,
    `${failed.length} of ${replies.length} orders ${when} failed with ${statuses}, and ${lost} customers have paid without an order. ${cause}`,
  );
}

const exercise: Exercise = {
  lesson: 'rolling-update',
  // One connection for each request, and no retry of a POST that an instance may have begun.
  stack: {
    nginx: {
      conf: (text) =>
        replaceText(defaultRetries(text), 'Connection $connection_header;', 'Connection close;'),
    },
  },
  rule: 'On SIGTERM: accept nothing new, finish what has begun, close Redis, then end.',
  steps: [
    {
      title: 'The orders in progress are finished when an instance stops',
      async run(deployment) {
        const orders = Array.from({ length: ORDERS }, () => placeOrder(deployment));
        const replies = Promise.all(orders);
        await Promise.race([replies, allPaid(deployment)]);
        const stopped = deployment.control('stop', 'app-1');
        await replies;
        await deployment.control('kill', 'app-1').catch(() => {}); // or it has ended in order
        await stopped;
        await mustBeStored(deployment, await replies, 'in progress');
        const stored = (await list(deployment, 'orders')).length;
        must(
          stored === ORDERS,
          `${ORDERS} orders were answered with 201, but Redis has ${stored}. An order must be stored before its reply.`,
        );
        return `${stored} of ${ORDERS}`;
      },
    },
    {
      title: 'Then the process ends, and new orders go to the others',
      async run(deployment) {
        let isStopping = true;
        const stopped = stop(deployment, 'app-2').finally(() => {
          isStopping = false;
        });
        await delay(PAUSE_MS);
        const orders: Promise<Reply>[] = [];
        do {
          orders.push(placeOrder(deployment));
          await delay(INTERVAL_MS);
        } while (isStopping || orders.length < ORDERS);
        const hasEnded = await stopped;
        const replies = await Promise.all(orders);
        const answering = new Set(replies.map((reply) => askedInstances(reply).at(-1)));
        const cause =
          answering.size === INSTANCES
            ? 'It still accepts new orders.'
            : 'It accepts no orders, but something is still open: a timer, for example, or the connection to Redis.';
        must(hasEnded, `app-2 was still running ${END_MS / 1000} s after SIGTERM. ${cause}`);
        await mustBeStored(deployment, replies, 'sent after SIGTERM');
        return `${replies.length} of ${replies.length}`;
      },
    },
  ],
};

/** Resolves when all instances have begun their orders. */
async function allPaid(deployment: Deployment): Promise<void> {
  await eventually(async () => {
    const { length } = await list(deployment, 'payments');
    if (length < ORDERS) throw new Error(`Only ${length} of ${ORDERS} orders have been paid.`);
  });
}

export default exercise;
