import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../tools/lib/eventually.ts';
import { Visitor } from '../../tools/lib/visitor.ts';
import { Stack } from '../../tools/stack/stack.ts';
import { Events } from '../support/events.ts';

const PEOPLE = 300;
/** Bytes for which a person is told of each one who moved: id, instance, views, and quotes around them. */
const BYTES_PER_DOT = 40;

/** Does it for all of them, a few at a time, as people come. */
async function each<T, R>(all: T[], work: (one: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let i = 0; i < all.length; i += 20) {
    results.push(...(await Promise.all(all.slice(i, i + 20).map(work))));
  }
  return results;
}

describe('a room of 300 people', () => {
  let stack: Stack;
  let people: Visitor[];
  let feeds: Events[];
  beforeAll(async () => {
    stack = await Stack.start();
    people = Array.from({ length: PEOPLE }, () => new Visitor(stack.url));
    await each(people, (person) => person.view());
    feeds = await each(people, ({ cookie }) => Events.open(`${stack.url}/events`, { cookie }));
  });
  afterAll(async () => {
    await Promise.all((feeds ?? []).map((feed) => feed[Symbol.asyncDispose]()));
    await stack?.close();
  });

  it('should know them all, on the feed of each', async () => {
    await eventually(() => {
      for (const feed of feeds) expect(feed.ticks.at(-1)?.room.people).toBe(PEOPLE);
    }, 20_000);
  });

  it('should count the views of all of them, and let nobody go', async () => {
    for (let round = 0; round < 3; round += 1) await each(people, (person) => person.view());
    await eventually(() => {
      for (const feed of feeds) expect(feed.ticks.at(-1)?.room.views).toBe(4 * PEOPLE);
    }, 20_000);
    expect(feeds.filter((feed) => feed.isOver)).toEqual([]);
  });

  it('should tell what was done since the last time at once, whatever the number of requests', async () => {
    const [feed] = feeds as [Events];
    const before = feed.ticks.length;
    const from = performance.now();
    await each(people, async (person) => {
      for (let i = 0; i < 5; i += 1) await person.view();
    });
    await feed.next('tick', ({ room }) => room.views === 9 * PEOPLE, 20_000);
    const seconds = (performance.now() - from) / 1000;
    const told = feed.ticks.slice(before);
    expect(told.length).toBeLessThanOrEqual(2 * seconds + 2);
    const rest = JSON.stringify({ ...told[0], moved: [] }).length;
    for (const tick of told) {
      expect(tick.moved.length).toBeLessThanOrEqual(PEOPLE);
      expect(JSON.stringify(tick).length).toBeLessThan(rest + 200 + BYTES_PER_DOT * PEOPLE);
    }
  });
});
