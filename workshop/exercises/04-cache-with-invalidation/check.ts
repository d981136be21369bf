import { quoted } from '../../../tools/lib/errors.mjs';
import { eventually } from '../../../tools/lib/eventually.ts';
import { send } from '../../../tools/lib/visitor.ts';
import type { Deployment } from '../../kit/environment.ts';
import { type Exercise, must } from '../../kit/exercise.ts';
import { endlessKeys, expireAll } from '../../kit/exercise-client.ts';

const DATABASE = 'db:';
/** Enough that each of three instances answers several times. */
const REQUESTS = 9;
/** Attempts to send a PUT while a request reads the database. */
const RACES = 5;

/** @throws {Error} if the reply is not a price with status 200 */
async function priceOf({ url }: Deployment): Promise<number> {
  const { status, body } = await send(`${url}/product`);
  const [, price] = /^{"price":(\d+)}$/.exec(body) ?? [];
  if (status === 200 && price) return Number(price);
  throw new Error(
    `GET /product answered ${status} with ${quoted(body)}, not 200 with {"price":N}.`,
  );
}

async function pricesOf(deployment: Deployment): Promise<number[]> {
  const prices: number[] = [];
  for (let i = 0; i < REQUESTS; i += 1) prices.push(await priceOf(deployment));
  return prices;
}

/** @throws {Error} if the reply is not 200 */
async function putPrice({ url }: Deployment, price: number): Promise<void> {
  const headers = { 'content-type': 'application/json' };
  const sending = { method: 'PUT', headers, body: JSON.stringify({ price }) };
  const { status, body } = await send(`${url}/product`, sending);
  must(status === 200, `PUT /product answered ${status} with ${quoted(body)}, not 200.`);
}

const readsOf = async (deployment: Deployment) => Number(await deployment.redis('GET', 'db:reads'));

const exercise: Exercise = {
  lesson: 'cache-aside',
  rule: 'Before you cache a value, decide how the copy ends: by invalidation, and always by a time to live.',
  steps: [
    {
      title: 'Repeated requests do not read the database',
      async run(deployment) {
        await deployment.redis('SET', 'db:price', '100');
        const prices = await pricesOf(deployment);
        const reads = await readsOf(deployment);
        const shown = `${REQUESTS} requests for the product caused ${reads} reads of the database`;
        must(
          prices.every((price) => price === 100),
          `The price in the database is 100, but the requests got ${prices.join(' ')}.`,
        );
        must(reads > 0, `${shown}. Keep the function readPrice as it is: it counts the reads.`);
        must(reads <= 3, `${shown}: it is not cached. Each read takes 200 ms.`);
        return `${reads} reads for ${REQUESTS} requests`;
      },
    },
    {
      title: 'After a PUT, every instance answers with the new price',
      async run(deployment) {
        await putPrice(deployment, 200);
        await pricesOf(deployment);
        await putPrice(deployment, 300);
        const prices = await pricesOf(deployment);
        const shown = `The price was changed from 200 to 300. The next requests got ${prices.join(' ')}.`;
        const isNew = prices.map((price) => price === 300);
        must(
          isNew.some(Boolean),
          `${shown} PUT changes the database, and the cached copies stay as they are.`,
        );
        must(
          isNew.every(Boolean),
          `${shown} Only the instance that received the PUT has changed its copy. The others still have the old one in their memory.`,
        );
        return prices.join(' ');
      },
    },
    {
      title: 'A cached entry has a time to live',
      async run(deployment) {
        await priceOf(deployment);
        await expireAll(deployment, DATABASE);
        await deployment.redis('SET', 'db:price', '400');
        const price = await priceOf(deployment);
        const endless = await endlessKeys(deployment, DATABASE);
        const shown = `Another program changed the price to 400 in the database. After the time to live of all keys in Redis, GET still answers with ${price}.`;
        must(
          price === 400 || endless.length === 0,
          `${shown} These keys have no time to live: ${endless.join(', ')}. A change that your program does not see is never shown.`,
        );
        must(price === 400, `${shown} The copy is not in Redis, but in the memory of the process.`);
        return 'it expires';
      },
    },
    {
      title: 'A slow read does not bring an old price back',
      async run(deployment) {
        for (let race = 1; race <= RACES; race += 1) {
          const [before, after] = [1000 + race, 2000 + race];
          await putPrice(deployment, before);
          await expireAll(deployment, DATABASE);
          const reads = await readsOf(deployment);
          let isReading = true;
          const slow = priceOf(deployment).finally(() => {
            isReading = false;
          });
          slow.catch(() => {}); // it is awaited below
          await eventually(async () => {
            must(
              (await readsOf(deployment)) > reads,
              'All keys of the cache have expired, but GET /product did not read the database.',
            );
          }, 2000);
          await putPrice(deployment, after);
          const isRace = isReading;
          await slow;
          const prices = await pricesOf(deployment);
          must(
            prices.every((price) => price === after),
            `A GET read the price ${before} from the database. Before it stored that in the cache, a PUT changed the price to ${after} and invalidated the cache. The next requests got ${prices.join(' ')}: the GET stored the old price after the invalidation.`,
          );
          if (isRace) break;
        }
        return 'the new price stays';
      },
    },
  ],
};

export default exercise;
