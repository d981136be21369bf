import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { slotOf } from '../../services/shared/process/redis-slots.ts';
import { eventually } from '../../tools/lib/eventually.ts';
import { LiveClient } from '../../tools/lib/live-client.ts';
import { inRedis } from '../../tools/lib/redis-client.ts';
import { send } from '../../tools/lib/visitor.ts';
import { Stack } from '../../tools/stack/stack.ts';
import { range } from '../support/proofs.ts';
import { Shopper } from '../support/shop.ts';
import { hasShards, isSpread } from '../support/topology.ts';

describe('GET /live', () => {
  let stack: Stack;
  let ada: Shopper;
  let clients: LiveClient[] = [];
  beforeAll(async () => {
    stack = await Stack.start();
  });
  afterAll(() => stack?.close());
  beforeEach(async () => {
    ada = new Shopper(stack.url);
    await ada.logIn('Ada');
  });
  afterEach(() => {
    for (const { socket } of clients) socket.terminate();
    clients = [];
  });

  async function open(
    visitor = ada,
    headers: Record<string, string> = {},
    path = '/live',
  ): Promise<LiveClient> {
    const client = await LiveClient.open(visitor.url + path, {
      cookie: visitor.cookie,
      ...headers,
    });
    clients.push(client);
    return client;
  }
  /** The status of the reply to a request that opens no WebSocket. */
  const refusal = (...args: Parameters<typeof open>) =>
    open(...args).then(
      () => 'it was opened',
      (err) => Number(/^Unexpected server response: (\d+)$/.exec(err.message)?.[1] ?? err),
    );
  /** A visitor of one instance, without nginx. */
  const direct = (instance: string) => {
    const visitor = new Shopper(`http://127.0.0.1:${stack.process(instance).port}`);
    for (const [name, value] of ada.cookies) visitor.cookies.set(name, value);
    return visitor;
  };

  it('should pass nginx, and deliver each message to the visitors of all instances', async () => {
    const everyone: LiveClient[] = [];
    for (const name of ['app-1', 'app-2', 'app-3']) everyone.push(await open(direct(name)));
    const sender = await open();
    const guest = new Shopper(stack.url);
    await guest.view();
    everyone.push(sender, await open(guest));
    sender.socket.send('  hello ');
    await eventually(() => {
      for (const { messages } of everyone) expect(messages).toHaveLength(1);
    });
    const message = { from: 'Ada', text: 'hello', via: expect.stringMatching(/^app-[123]$/) };
    for (const { messages } of everyone) expect(messages).toEqual([message]);
  });

  it('should not count as a request in progress: all instances still get others', async () => {
    for (const _ of range(1, 4)) await open(); // one instance has two of them
    const seen = await ada.viewInTurn(9);
    expect(new Set(seen.map(({ instance }) => instance)).size).toBe(3);
  });

  it('should deliver the messages of a visitor once and in order', async () => {
    const [sender, receiver] = [await open(direct('app-1')), await open(direct('app-2'))];
    const texts = range(1, 200).map(String);
    for (const text of texts) sender.socket.send(text);
    await eventually(() => expect(receiver.messages.length).toBeGreaterThanOrEqual(200));
    expect(receiver.messages.map((message) => 'text' in message && message.text)).toEqual(texts);
  });

  it('should open for a known session and for its own pages only', async () => {
    const origin = new URL(stack.url).origin;
    await open(ada, { origin, 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'websocket' });
    await open(ada, { origin });
    const stranger = new Shopper(stack.url);
    expect(await refusal(stranger)).toBe(401);
    const [forged, ended] = [ada.copy(), ada.copy()];
    forged.cookies.set('connect.sid', 's%3Aforged.x');
    expect(await refusal(forged)).toBe(401);
    expect(await refusal(ada, { origin: 'https://attacker.example' })).toBe(403);
    const foreign = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'websocket' };
    expect(await refusal(ada, { origin, ...foreign })).toBe(403);
    await ada.logOut();
    expect(await refusal(ended)).toBe(401);
  });

  it('should answer problem documents', async () => {
    const plain = await ada.send('/live');
    expect(plain.status).toBe(426);
    expect(plain.headers['content-type']).toContain('application/problem+json');
    const headers = { connection: 'upgrade', upgrade: 'websocket' };
    const refused = await send(`${stack.url}/live`, { headers });
    expect(refused.status).toBe(401);
    expect(JSON.parse(refused.body).detail).toBe('You have no session. GET / starts one.');
    const invalid = await ada.send('/live', { headers }); // without a key
    expect(invalid.status).toBe(400);
  });

  it.each(['websocket', 'h2c'])(
    'should leave other routes as they are if a request offers an upgrade to %s',
    async (upgrade) => {
      const headers = { connection: 'upgrade', upgrade };
      for (const url of [stack.url, direct('app-1').url]) {
        const visitor = new Shopper(url);
        for (const views of [1, 2]) {
          expect((await visitor.send('/', { headers })).body).toBe(`Views: ${views}`);
        }
        const reply = await visitor.post('/cart', { item: 'tea', quantity: 1 }, { headers });
        expect(reply.status).toBe(200);
        expect((await visitor.send('/none', { headers })).status).toBe(404);
      }
    },
  );

  it('should close when the session has ended, at the next message', async () => {
    const [client, other] = [await open(), await open()];
    const device = new Shopper(stack.url);
    await device.logIn('Ada');
    expect((await device.send('/sessions', { method: 'DELETE' })).status).toBe(204);
    client.socket.send('still here');
    expect(await client.closed).toBe(1008);
    expect(other.messages).toEqual([]);
  });

  it('should refuse a text that is empty, and end a connection for a message that is too large', async () => {
    const client = await open();
    client.socket.send('');
    client.socket.send('x'.repeat(201));
    const error = 'must be a text of 1 to 200 visible characters';
    await eventually(() => expect(client.messages).toEqual([{ error }, { error }]));
    client.socket.send('x'.repeat(4097));
    expect(await client.closed).toBe(1009);
  });

  it('should disconnect a client that does not read, and no other', async () => {
    const [slow, other] = [await open(direct('app-1')), await open(direct('app-1'))];
    slow.socket.pause();
    await inRedis(stack.topology.url, async (redis) => {
      const message = JSON.stringify({ from: 'a test', text: 'x'.repeat(100_000), via: 'Redis' });
      for (const i of range(1, 200)) {
        await redis.publish('live', message);
        await eventually(() => expect(other.messages).toHaveLength(i));
      }
    });
    slow.socket.resume();
    expect(await slow.closed).toBe(1006);
    expect(slow.messages.length).toBeLessThan(200);
    expect(other.socket.readyState).toBe(other.socket.OPEN);
  });

  it('should stay open while no message is sent, and close then if the session has ended', async () => {
    const [client, ended] = [await open(), await open(new Shopper(stack.url, ada.copy().cookies))];
    await once(client.socket, 'ping'); // ten seconds; nginx gives up other requests after 1.8
    expect(client.socket.readyState).toBe(client.socket.OPEN);
    client.socket.send('hello');
    await eventually(() => expect(ended.messages).toHaveLength(1));
    await ada.logOut();
    expect(await Promise.all([client.closed, ended.closed])).toEqual([1008, 1008]);
  });

  it('should tell clients to connect again when an instance ends, which does not wait for them', async () => {
    const clientsOf1 = [await open(direct('app-1')), await open(direct('app-1'))];
    const [polite, silent] = clientsOf1 as [LiveClient, LiveClient];
    silent.socket.pause(); // it confirms nothing
    const from = Date.now();
    const stopped = stack.process('app-1').stop();
    expect(await polite.closed).toBe(1012);
    expect(Date.now() - from).toBeLessThan(500);
    const again = await eventually(() => open()); // app-1 may refuse it; then on another instance
    await stopped;
    expect(Date.now() - from).toBeLessThan(2500);
    again.socket.send('back');
    await eventually(() => expect(again.messages).toHaveLength(1));
    await stack.process('app-1').start();
  });

  it.skipIf(isSpread)('should close with "try again later" while Redis is silent', async () => {
    const client = await open();
    stack.redis.pause();
    client.socket.send('hello');
    expect(await client.closed).toBe(1013);
    stack.redis.resume();
    await eventually(async () => {
      const again = await open();
      again.socket.send('hello');
      await eventually(() => expect(again.messages).toHaveLength(1), 500);
    });
  });

  it('should deliver messages again after a Redis has died', async () => {
    const shard = hasShards ? Math.floor((3 * slotOf('live')) / 16_384) : 0;
    const redis = stack.topology.processes[shard];
    await redis?.kill();
    if (!isSpread) await redis?.start();
    await eventually(async () => {
      const visitor = new Shopper(stack.url);
      await visitor.view();
      const everyone: LiveClient[] = [];
      for (const name of ['app-1', 'app-2', 'app-3']) {
        everyone.push(await open(visitor, {}, `/live?${name}`));
      }
      everyone[0]?.socket.send('hello');
      await eventually(() => {
        for (const { messages } of everyone) expect(messages).toHaveLength(1);
      }, 500);
    }, 20_000);
  });
});
