import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../tools/lib/eventually.ts';
import { Visitor } from '../../tools/lib/visitor.ts';
import { Stack } from '../../tools/stack/stack.ts';
import { Events } from '../support/events.ts';

const PARTICIPANTS = 300;
/** Bytes of a message for each participant who moved: id, instance, views, and their quotes. */
const BYTES_PER_PARTICIPANT = 40;

/** Does the work for all of them, 20 at a time. */
async function each<T, R>(all: T[], work: (one: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let i = 0; i < all.length; i += 20) {
    results.push(...(await Promise.all(all.slice(i, i + 20).map(work))));
  }
  return results;
}

/** What the page does. */
async function view(person: Visitor): Promise<void> {
  const { views, instance } = await person.view();
  const headers = { 'content-type': 'application/json' };
  const body = JSON.stringify({ views, instance });
  await person.send('/dashboard/participants', { method: 'POST', headers, body });
}

describe('an audience of 300', () => {
  let stack: Stack;
  let people: Visitor[];
  let streams: Events[];
  beforeAll(async () => {
    stack = await Stack.start();
    people = Array.from({ length: PARTICIPANTS }, () => new Visitor(stack.url));
    await each(people, (person) => view(person));
    streams = await each(people, connect);
  });
  const connect = ({ cookie }: Visitor) => Events.open(`${stack.url}/dashboard/events`, { cookie });
  afterAll(async () => {
    await Promise.all((streams ?? []).map((stream) => stream[Symbol.asyncDispose]()));
    await stack?.close();
  });

  it('should know them all, on the stream of each', async () => {
    await eventually(async () => {
      // A dashboard that could not read a session in time ends the stream, and a browser reconnects.
      streams = await Promise.all(
        streams.map((stream, i) => (stream.isOver ? connect(people[i] as Visitor) : stream)),
      );
      for (const stream of streams)
        expect(stream.ticks.at(-1)?.audience.participants).toBe(PARTICIPANTS);
    }, 20_000);
  });

  it('should count the views of all of them, and disconnect none', async () => {
    for (let round = 0; round < 3; round += 1) await each(people, (person) => view(person));
    await eventually(() => {
      for (const stream of streams)
        expect(stream.ticks.at(-1)?.audience.views).toBe(4 * PARTICIPANTS);
    }, 20_000);
    expect(streams.filter((stream) => stream.isOver)).toEqual([]);
  });

  it('should send all changes since the last message at once, for any number of requests', async () => {
    const [stream] = streams as [Events];
    const before = stream.ticks.length;
    const from = performance.now();
    await each(people, async (person) => {
      for (let i = 0; i < 5; i += 1) await view(person);
    });
    await stream.next('tick', ({ audience }) => audience.views === 9 * PARTICIPANTS, 20_000);
    const seconds = (performance.now() - from) / 1000;
    const told = stream.ticks.slice(before);
    expect(told.length).toBeLessThanOrEqual(2 * seconds + 2);
    const rest = JSON.stringify({ ...told[0], moved: [] }).length;
    for (const tick of told) {
      expect(tick.moved.length).toBeLessThanOrEqual(PARTICIPANTS);
      expect(JSON.stringify(tick).length).toBeLessThan(
        rest + 200 + BYTES_PER_PARTICIPANT * PARTICIPANTS,
      );
    }
  });
});
