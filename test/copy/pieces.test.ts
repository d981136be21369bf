import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { closureOf, type Piece, pieces } from '../../tools/copy-table.ts';
import { eventually } from '../../tools/lib/eventually.ts';
import { ROOT } from '../../tools/lib/root.mjs';
import { Running } from '../../tools/lib/running.ts';
import { send } from '../../tools/lib/visitor.ts';
import { freePort } from '../../tools/stack/port.ts';
import { RedisAlone } from '../support/redis-alone.ts';
import { Shopper } from '../support/shop.ts';

/** Asks the program that uses a piece. */
type Trial = (client: Shopper, program: Running) => Promise<void>;

/** Milliseconds within which a program must listen, also if the machine is busy. */
const START_MS = 30_000;

const MINIMAL = 'services/minimal/main.ts';

/** By the names of the programs in programs/, which are those of the pieces. */
const trials: Record<string, Trial> = {
  async main(client) {
    expect((await client.send()).body).toBe('Views: 1');
    expect((await client.send()).body).toBe('Views: 2');
  },

  async deadline(client) {
    expect((await client.send('/fast')).body).toBe('in time');
    const slow = await client.send('/slow');
    expect(slow.status).toBe(503);
    expect(slow.headers['content-type']).toMatch('application/problem+json');
    expect(slow.ms).toBeLessThan(2000);
  },

  async express(client) {
    const headers = { 'x-forwarded-proto': 'https' };
    const reply = await client.send('/scheme', { headers });
    expect(reply.body).toBe('https');
    expect(reply.headers['x-powered-by']).toBeUndefined();
    expect((await client.send('/SCHEME')).status).toBe(404);
  },

  async health(client, program) {
    expect((await client.send('/livez')).status).toBe(200);
    expect((await client.send('/readyz')).status).toBe(200);
    program.child.kill('SIGTERM');
    await eventually(async () => expect((await client.send('/readyz')).status).toBe(503));
    expect((await client.send('/livez')).status).toBe(200);
  },

  async idempotency(client) {
    const order = async (key: string, item: string) => {
      const headers = { 'idempotency-key': key };
      return (await client.post('/orders', { item }, { headers })).body;
    };
    expect(await order('first-order', 'tea')).toBe('{"order":1}');
    expect(await order('first-order', 'tea')).toBe('{"order":1}');
    expect(await order('first-order', 'coffee')).toBe('{"order":2}');
    expect(await order('second-order', 'tea')).toBe('{"order":3}');
    expect(await order('short', 'tea')).toMatch('"status":400');
  },

  async 'json-body'(client) {
    const right = await client.post('/orders', { item: ' tea ', quantity: 2 });
    expect(right).toMatchObject({ status: 201, body: '{"item":"tea","quantity":2}' });
    const wrong = await client.post('/orders', { item: 'tea', quantity: 0 });
    expect(wrong).toMatchObject({ status: 422, body: expect.stringContaining('quantity: ') });
    expect((await client.send('/orders', { method: 'POST', body: '{}' })).status).toBe(415);
  },

  async 'no-speculation'(client) {
    expect((await client.send()).body).toBe('counted');
    expect((await client.send('/', { headers: { 'sec-purpose': 'prefetch' } })).status).toBe(503);
  },

  async 'preferred-type'(client) {
    const inType = async (accept: string) =>
      (await client.send('/time', { headers: { accept } })).body;
    expect(await inType('*/*')).toBe('1970-01-01T00:00:00.000Z');
    expect(await inType('application/json')).toBe('{"time":"1970-01-01T00:00:00.000Z"}');
  },

  async problem(client) {
    const problem = async (method: string, path: string) => {
      const { body, headers } = await client.send(path, { method });
      expect(headers['content-type']).toMatch('application/problem+json');
      return JSON.parse(body);
    };
    expect(await problem('POST', '/orders')).toEqual({
      type: 'about:blank',
      title: 'Conflict',
      status: 409,
      detail: 'There is no tea left.',
    });
    expect(await problem('GET', '/old')).toMatchObject({ status: 410 });
    expect(await problem('GET', '/none')).toMatchObject({ status: 404 });
    const broken = await problem('GET', '/broken');
    expect(broken).toMatchObject({ status: 500 });
    expect(broken.detail).not.toContain('a detail that only the log shows');
  },

  async 'rate-limit'(client) {
    const order = async (customer: string) =>
      (await client.send(`/orders/${customer}`, { method: 'POST' })).status;
    for (const status of [201, 201, 201, 429]) expect(await order('ada')).toBe(status);
    expect(await order('bob')).toBe(201);
  },

  async 'reply-headers'(client) {
    const { headers } = await client.send();
    expect(headers).toMatchObject({
      'x-instance': 'copy-1',
      'x-request-id': expect.stringMatching(/^[\w-]{8,64}$/),
      'x-content-type-options': 'nosniff',
      'content-security-policy': expect.stringContaining("default-src 'self'"),
    });
  },

  async 'same-origin'(client) {
    const order = async (headers: Record<string, string>) =>
      (await client.send('/orders', { method: 'POST', headers })).status;
    expect(await order({})).toBe(201);
    expect(await order({ origin: client.url })).toBe(201);
    expect(await order({ origin: 'https://attacker.example' })).toBe(403);
    expect(await order({ 'sec-fetch-site': 'cross-site' })).toBe(403);
  },

  session: countFillAndLogIn,
  'before-loading': countFillAndLogIn,

  async 'user-sessions'(client) {
    const other = new Shopper(client.url);
    for (const visitor of [client, other]) await visitor.send('/login/Ada', { method: 'POST' });
    expect(await other.me()).toEqual({ name: 'Ada' });
    expect((await client.send('/sessions', { method: 'DELETE' })).status).toBe(204);
    for (const visitor of [client, other]) expect(await visitor.me()).toBeUndefined();
  },

  async cache(client) {
    const item = async () => {
      const { headers, body } = await client.send('/items/7');
      return [headers['x-cache'], body];
    };
    expect(await item()).toEqual(['MISS', 'This is item:7']);
    expect(await item()).toEqual(['HIT', 'This is item:7']);
    expect((await client.send('/items/7', { method: 'DELETE' })).status).toBe(204);
    expect(await item()).toEqual(['MISS', 'This is item:7']);
  },

  async redis(client) {
    const before = await client.send();
    expect(before).toMatchObject({ status: 200, body: expect.stringMatching(/^Views: \d+$/) });
    alone.process.pause();
    const during = await client.send();
    expect(during.status).toBe(503);
    expect(during.ms).toBeLessThan(2000);
    alone.process.resume();
    await eventually(async () => expect((await client.send()).status).toBe(200));
  },

  async server(client, program) {
    const slow = client.send('/slow');
    await client.send(); // answered, so the slow request has arrived before
    program.child.kill('SIGTERM');
    expect((await slow).body).toBe('whole');
    expect(await program.ended).toMatchObject({ code: 0 });
  },

  async service(client, program) {
    expect((await client.send()).body).toBe('Views: 5, counted by copy-1');
    program.child.kill('SIGTERM');
    expect(await program.ended).toMatchObject({ code: 0 });
  },
};

/** The name of a piece without its folders. */
function nameOf({ path }: Piece): string {
  return /([\w-]+)(\.ts|\/)$/.exec(path)?.[1] ?? path;
}

/** A new folder with the files of a piece, a program that uses it, and `packages`. */
class Copy implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'shared-state-copy-'));

  constructor(piece: Piece, packages: string[]) {
    for (const path of closureOf(piece.entries).files) {
      const copy = join(this.folder, path.replace('services/', ''));
      mkdirSync(dirname(copy), { recursive: true });
      copyFileSync(join(ROOT, path), copy);
    }
    if (piece.path !== MINIMAL) {
      const program = join(import.meta.dirname, 'programs', `${nameOf(piece)}.ts`);
      const source = readFileSync(program, 'utf8').replaceAll("'../../../services/", "'./");
      writeFileSync(join(this.folder, 'main.ts'), source);
    }
    writeFileSync(join(this.folder, 'package.json'), '{ "type": "module" }');
    const tsconfig = { extends: join(ROOT, 'tsconfig.json'), include: ['.'], exclude: [] };
    writeFileSync(join(this.folder, 'tsconfig.json'), JSON.stringify(tsconfig));
    for (const name of [...packages, ...packages.map((name) => `@types/${name}`), '@types/node']) {
      const installed = join(ROOT, 'node_modules', name);
      const link = join(this.folder, 'node_modules', name);
      if (!existsSync(installed)) continue;
      mkdirSync(dirname(link), { recursive: true });
      symlinkSync(installed, link);
    }
  }

  /** Resolves to the errors of the type check. */
  async typeCheck(): Promise<string> {
    await using tsc = new Running(join(ROOT, 'node_modules/.bin/tsc'), [], {}, this.folder);
    return (await tsc.ended).stdout;
  }

  /** Runs the program. */
  run(env: NodeJS.ProcessEnv): Running {
    const main = existsSync(join(this.folder, 'main.ts')) ? 'main.ts' : 'minimal/main.ts';
    return new Running(process.execPath, [main], env, this.folder);
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true });
  }
}

let alone: RedisAlone;
beforeAll(async () => {
  alone = await RedisAlone.start();
});
afterAll(() => alone?.[Symbol.asyncDispose]());

describe('a piece in another program', () => {
  it.each(pieces)('should compile and answer: $path', async (piece) => {
    const tryOut = trials[nameOf(piece)];
    expect(tryOut, `${nameOf(piece)} has no trial here`).toBeDefined();
    using copy = new Copy(piece, closureOf(piece.entries).packages);
    expect(await copy.typeCheck()).toBe('');

    const port = await freePort('127.0.0.1');
    await using program = copy.run({
      PORT: String(port),
      REDIS_URL: alone.url,
      INSTANCE: 'copy-1',
      SESSION_SECRET: 'a secret of at least 32 characters',
      STEP: '5',
    });
    const url = `http://127.0.0.1:${port}`;
    const failed = program.ended.then(({ stderr }) => Promise.reject(new Error(stderr)));
    await Promise.race([eventually(() => send(`${url}/none`), START_MS), failed]);
    failed.catch(() => {}); // from here on, the trial may end it
    await tryOut?.(new Shopper(url), program);
  });

  it.each(['express', 'pino'])('should not compile without its package %s', async (name) => {
    const piece = pieces.find(({ path }) => path.endsWith('/problem.ts')) as Piece;
    const { packages } = closureOf(piece.entries);
    expect(packages).toEqual(['express', 'pino']);
    using copy = new Copy(
      piece,
      packages.filter((other) => other !== name),
    );
    expect(await copy.typeCheck()).toContain(`Cannot find module '${name}'`);
  });
});

/** A new visitor counts a view, fills the cart and logs in. */
async function countFillAndLogIn(client: Shopper): Promise<void> {
  expect((await client.send()).body).toBe('Views: 1');
  const cookie = client.cookie;
  const added = Array.from({ length: 20 }, () => client.send('/cart/tea', { method: 'POST' }));
  expect((await Promise.all(added)).map(({ status }) => status)).toEqual(Array(20).fill(200));
  expect((await client.send('/login/Ada', { method: 'POST' })).body).toBe('Hello Ada');
  expect(client.cookie).not.toBe(cookie);
  expect(await client.me()).toEqual({ name: 'Ada', views: 1, cart: { tea: 20 } });
}
