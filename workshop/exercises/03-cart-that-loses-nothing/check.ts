import { quoted } from '../../../tools/lib/errors.mjs';
import { Visitor } from '../../../tools/lib/visitor.ts';
import { type Exercise, must } from '../../kit/exercise.ts';
import { endlessKeys } from '../../kit/exercise-client.ts';

/** Requests at once: so many for one item, and so many for different items. */
const ADDS = 100;

/** @throws {Error} if the reply is not 200 */
async function add(visitor: Visitor, item: string, quantity: number): Promise<void> {
  const { status, body } = await visitor.post('/cart', { item, quantity });
  must(status === 200, `POST /cart answered ${status} with ${quoted(body)}, not 200.`);
}

/** @throws {Error} if the reply is not JSON with status 200 */
async function cartOf(visitor: Visitor): Promise<Record<string, unknown>> {
  const { status, body } = await visitor.send('/cart');
  must(
    status === 200 && body.startsWith('{'),
    `GET /cart answered ${status} with ${quoted(body)}, not 200 with an object such as {"tea":2}.`,
  );
  return JSON.parse(body);
}

const exercise: Exercise = {
  lesson: 'lost-updates',
  rule: 'If many requests change a part of a value, give the part its own field in Redis, and change it in one step.',
  steps: [
    {
      title: 'Each visitor has a cart, and all instances see it',
      async run({ url }) {
        const [ada, ben] = [new Visitor(url), new Visitor(url)];
        await add(ada, 'tea', 2);
        await add(ben, 'tea', 10);
        await add(ada, 'tea', 1);
        const carts: string[] = [];
        for (const visitor of [ada, ada, ada, ben])
          carts.push(JSON.stringify(await cartOf(visitor)));
        const [one, two, three, bens] = carts;
        const shown = `Ada added 2 tea and 1 tea, and Ben added 10 tea. Ada saw ${one}, ${two} and ${three}, Ben saw ${bens}.`;
        must(
          one === two && two === three,
          `${shown} The instances show different carts: each has its own, or the cart is stored later.`,
        );
        must(one !== bens, `${shown} Both visitors use the same cart.`);
        must(one === '{"tea":3}', `${shown} Ada's cart has to be {"tea":3}: quantities add up.`);
        must(bens === '{"tea":10}', `${shown} Ben's cart has to be {"tea":10}.`);
        return `${one} and ${bens}`;
      },
    },
    {
      title: `${2 * ADDS} requests of one visitor at once lose nothing`,
      async run({ url }) {
        const visitor = new Visitor(url);
        await add(visitor, 'tea', 1);
        const names = Array.from({ length: ADDS }, (_, i) => `item ${i}`);
        await Promise.all(names.flatMap((name) => [add(visitor, name, 2), add(visitor, 'tea', 1)]));
        const cart = await cartOf(visitor);
        const kept = names.filter((name) => cart[name] === 2).length;
        const tea = Number(cart.tea ?? 0) - 1;
        const shown = `${ADDS} requests added 1 tea each, and ${ADDS} requests a different item each. The cart has ${tea} tea and ${kept} of the items.`;
        must(
          kept === ADDS,
          `${shown} Each request reads the whole cart and writes all of it back. Two requests read the same cart, and the last one removes what the other one added.`,
        );
        must(
          tea === ADDS,
          `${shown} Different items are kept. But two requests for tea read the same quantity, and both store the next one. Adding must be one step, for all instances.`,
        );
        return `${tea + kept} of ${2 * ADDS}`;
      },
    },
    {
      title: 'A reply of 200 means that the item is stored',
      async run(deployment) {
        const visitor = new Visitor(deployment.url);
        await add(visitor, 'tea', 1);
        const [, memory = '0'] = (await deployment.redis('CONFIG', 'GET', 'maxmemory')).split('\n');
        // Redis now refuses commands that need memory, and carries out all others.
        await deployment.redis('CONFIG', 'SET', 'maxmemory', '1');
        try {
          const { status } = await visitor.post('/cart', { item: 'tea', quantity: 1 });
          must(
            status >= 500,
            `Redis was full and stored nothing, but POST /cart answered ${status}. Your program answers before it knows that the item is stored.`,
          );
          return `${status} if Redis is full`;
        } finally {
          await deployment.redis('CONFIG', 'SET', 'maxmemory', memory);
        }
      },
    },
    {
      title: 'A cart ends some day: its key has a time to live',
      async run(deployment) {
        const [endless] = await endlessKeys(deployment);
        must(
          endless === undefined,
          `The key ${endless} never expires. Every visitor leaves one, until the memory is full.`,
        );
        return 'each key expires';
      },
    },
  ],
};

export default exercise;
