import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { DelayedRedis } from '../../tools/lib/delayed-redis.ts';
import { eventually } from '../../tools/lib/eventually.ts';
import { inRedis } from '../../tools/lib/redis-client.ts';
import { ROOT } from '../../tools/lib/root.mjs';
import { Running } from '../../tools/lib/running.ts';
import { type Reply, send, Visitor } from '../../tools/lib/visitor.ts';
import { freePort } from '../../tools/stack/port.ts';
import { Stack } from '../../tools/stack/stack.ts';
import { range, viewsIn } from '../support/proofs.ts';
import { sessionIdOf } from '../support/shop.ts';

const PROGRAM = 'services/minimal/main.ts';
const README = 'services/minimal/README.md';
const SESSION_SECRET = 'a secret of at least 32 characters';

/** What minimal cannot do, and the files that can. The README beside it has the same table. */
const SOLVED_BY = {
  drain: ['services/shared/process/server.ts'],
  countedTwice: ['services/shared/http/idempotency.ts', 'services/shared/session/scripts.ts'],
  hang: ['services/shared/process/redis.ts', 'services/shared/http/deadline.ts'],
  outage: ['services/shared/process/redis-errors.ts', 'services/shared/http/problem.ts'],
  cookies: ['services/shared/session/cookies.ts'],
};
const solvedBy = (problem: keyof typeof SOLVED_BY) =>
  `(solved by ${SOLVED_BY[problem].join(', ')})`;

/** Starts the minimal program behind nginx. */
const start = (scale: number) =>
  Stack.start({ program: PROGRAM, scale, env: { ...process.env, SESSION_SECRET } });

const viewsKey = (visitor: Visitor) => `minimal:views:${sessionIdOf(visitor)}`;

describe('minimal', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await start(3);
  });
  afterAll(() => stack?.close());

  const keys = () =>
    inRedis(stack.topology.url, async (redis) => (await redis.keys('minimal:*')).sort());

  it('should count 30 views in order over 3 instances, with one cookie', async () => {
    const visitor = new Visitor(stack.url);
    const replies: Reply[] = [];
    for (const _ of range(1, 30)) replies.push(await visitor.send());
    expect(replies.map(viewsIn)).toEqual(range(1, 30));
    const instances = new Set(replies.map(({ headers }) => headers['x-instance']));
    expect([...instances].sort()).toEqual(['app-1', 'app-2', 'app-3']);
    const cookies = replies.flatMap(({ headers }) => headers['set-cookie'] ?? []);
    expect(cookies).toEqual([
      expect.stringMatching(/^connect\.sid=s%3A[^;]+; Path=\/; HttpOnly; SameSite=Lax$/),
    ]);
  });

  it('should count 200 views at once, over 3 instances, as exactly 200', async () => {
    const visitor = new Visitor(stack.url);
    expect(viewsIn(await visitor.send())).toBe(1);
    // Not through nginx: it retries a request that takes long, and minimal would count it again.
    const headers = { cookie: visitor.cookie };
    const urls = stack.instances.map(({ port }) => `http://127.0.0.1:${port}/`);
    const replies = await Promise.all(
      range(2, 201).map((i) => send(urls[i % urls.length] ?? '', { headers })),
    );
    expect(replies.map(viewsIn).sort((a, b) => a - b)).toEqual(range(2, 201));
    expect(viewsIn(await visitor.send())).toBe(202);
  });

  it('should store the session before it replies', async () => {
    const visitor = new Visitor(stack.url);
    await visitor.send();
    const id = sessionIdOf(visitor);
    expect(await keys()).toEqual(
      expect.arrayContaining([`minimal:session:${id}`, `minimal:views:${id}`]),
    );
  });

  it('should keep the session and its counter for a day after the last view', async () => {
    const visitor = new Visitor(stack.url);
    await visitor.send();
    await inRedis(stack.topology.url, async (redis) => {
      const its = [`minimal:session:${sessionIdOf(visitor)}`, viewsKey(visitor)];
      for (const key of its) await redis.expire(key, 10);
      await visitor.send();
      for (const key of its) expect(await redis.ttl(key)).toBeGreaterThan(86_390);
    });
  });

  it.each([
    ['is forged', (id: string) => `s:${id}.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA`],
    ['is not signed', (id: string) => id],
    ['is garbage', () => 's:%00.%ff'],
  ])('should start a new session if the cookie %s', async (_, forge) => {
    const visitor = new Visitor(stack.url);
    await visitor.send();
    const forger = new Visitor(stack.url);
    forger.cookies.set('connect.sid', encodeURIComponent(forge(sessionIdOf(visitor))));
    expect(viewsIn(await forger.send())).toBe(1);
    expect(sessionIdOf(forger)).toMatch(/^[\w-]{32}$/);
    expect(sessionIdOf(forger)).not.toBe(sessionIdOf(visitor));
    expect(viewsIn(await visitor.send())).toBe(2);
  });

  it('should store no session for a health check or an unknown path', async () => {
    const before = await keys();
    expect(await send(`${stack.url}/readyz`)).toMatchObject({ status: 200, body: 'PONG' });
    expect((await send(`${stack.url}/favicon.ico`)).status).toBe(404);
    expect(await keys()).toEqual(before);
  });

  it('should trust nginx, and only nginx, about HTTPS', async () => {
    const [{ port } = { port: 0 }] = stack.instances;
    const headers = { 'x-forwarded-proto': 'https' };
    const cookieOf = async (url: string) =>
      (await send(url, { headers })).headers['set-cookie']?.[0];
    expect(await cookieOf(`http://127.0.0.1:${port}/`)).toMatch(/; Secure/);
    expect(await cookieOf(`${stack.url}/`)).not.toMatch(/; Secure/);
  });

  it('should fail at once while Redis is down, set no cookie, and continue afterwards', async () => {
    const visitor = new Visitor(stack.url);
    expect(viewsIn(await visitor.send())).toBe(1);
    await stack.redis.kill();
    for (const path of ['/', '/readyz']) {
      const reply = await send(stack.url + path);
      expect(reply.status).toBe(500);
      expect(reply.ms).toBeLessThan(1000);
      expect(reply.headers['set-cookie']).toBeUndefined();
    }
    await stack.redis.start();
    expect(await eventually(async () => viewsIn(await visitor.send()))).toBe(2);
  });

  it.each(['incr', 'set'])('should not reply with 200 if Redis refuses %s', async (command) => {
    const allow = (rule: string) =>
      inRedis(stack.topology.url, (redis) =>
        redis.sendCommand(['ACL', 'SETUSER', 'default', rule]),
      );
    const sessions = async () => (await keys()).filter((key) => key.startsWith('minimal:session:'));
    const before = await sessions();
    await allow(`-${command}`);
    const reply = await send(`${stack.url}/`);
    await allow('+@all');
    expect(reply.status).toBe(500);
    expect(await sessions()).toEqual(before);
  });
});

describe('the start of minimal', () => {
  async function run(env: NodeJS.ProcessEnv) {
    await using running = new Running(process.execPath, [join(ROOT, PROGRAM)], {
      HOST: '127.0.0.1',
      ...env,
    });
    return await running.ended;
  }

  it('should fail with one line if SESSION_SECRET is missing', async () => {
    const { code, stderr } = await run({ SESSION_SECRET: '' });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^SESSION_SECRET is missing[^\n]*\n$/);
  });

  it('should fail if the port is busy', async () => {
    await using stack = await start(1);
    const PORT = String(stack.instances[0]?.port);
    const { code, stdout, stderr } = await run({
      SESSION_SECRET,
      PORT,
      REDIS_URL: stack.redis.url,
    });
    expect(code).toBe(1);
    expect(stderr).toContain(`EADDRINUSE: address already in use 127.0.0.1:${PORT}`);
    expect(stdout).toBe('');
  });

  it('should wait for Redis', async () => {
    const port = await freePort('127.0.0.1');
    await using running = new Running(process.execPath, [join(ROOT, PROGRAM)], {
      SESSION_SECRET,
      REDIS_URL: `redis://127.0.0.1:${port}`,
    });
    await eventually(() => expect(running.stderr).toMatch(/(Redis: ECONNREFUSED\n){2}/));
    expect(running.child.exitCode).toBeNull();
  });
});

describe('what minimal cannot do', () => {
  // Each test needs an instance of its own: the first two end theirs.
  let stack: Stack;
  let delayed: DelayedRedis;
  beforeAll(async () => {
    stack = await start(3);
    delayed = await DelayedRedis.inFrontOf(stack.redis);
  });
  afterEach(() => {
    delayed.delayMs = 0;
  });
  afterAll(async () => {
    await stack?.close();
    await delayed?.[Symbol.asyncDispose]();
  });

  const direct = (i: number) => `http://127.0.0.1:${stack.instances[i]?.port}`;
  const storedViews = (visitor: Visitor) =>
    inRedis(stack.topology.url, (redis) => redis.get(viewsKey(visitor)));

  /** Someone whose first view was counted. */
  async function newVisitor(url = stack.url): Promise<Visitor> {
    const visitor = new Visitor(url);
    expect(await eventually(async () => viewsIn(await visitor.send()))).toBe(1);
    return visitor;
  }

  it(`should cut a request in progress at SIGTERM ${solvedBy('drain')}`, async () => {
    const visitor = await newVisitor(direct(0));
    delayed.delayMs = 500;
    const cut = expect(visitor.send()).rejects.toThrow('socket hang up');
    await eventually(async () => expect(await storedViews(visitor)).toBe('2'));
    await stack.instances[0]?.stop();
    await cut;
  });

  it(`should count a view twice if an instance dies before it replies ${solvedBy('countedTwice')}`, async () => {
    const visitors = await Promise.all(range(1, 12).map(() => newVisitor()));
    delayed.delayMs = 500;
    const replies = Promise.all(visitors.map((visitor) => visitor.send()));
    for (const visitor of visitors) {
      await eventually(async () =>
        expect(Number(await storedViews(visitor))).toBeGreaterThanOrEqual(2),
      );
    }
    delayed.delayMs = 0;
    await stack.instances[1]?.kill(); // nginx sends its requests to the other instances
    // Each visitor has viewed twice.
    expect(Math.max(...(await replies).map(viewsIn))).toBeGreaterThanOrEqual(3);
  });

  it(`should wait as long as Redis hangs, and count afterwards ${solvedBy('hang')}`, async () => {
    const visitor = await newVisitor(direct(2));
    const { cookie } = visitor;
    stack.redis.pause();
    // Longer than nginx waits for a reply, and twice as long as services/app takes to answer 503.
    const view = fetch(direct(2), { headers: { cookie }, signal: AbortSignal.timeout(3000) });
    await expect(view).rejects.toThrow('timeout');
    stack.redis.resume();
    // The client is gone, but the commands were only late.
    await eventually(async () => expect(await storedViews(visitor)).toBe('2'));
  });

  it(`should answer an outage with 500, as if it were a bug ${solvedBy('outage')}`, async () => {
    await stack.redis.kill();
    const { status, headers } = await send(direct(2));
    expect(status).toBe(500);
    expect(headers['retry-after']).toBeUndefined();
    await stack.redis.start();
  });

  it(`should take only the first cookie of its name ${solvedBy('cookies')}`, async () => {
    const visitor = await newVisitor();
    const cookie = `connect.sid=theirs; ${visitor.cookie}`;
    await eventually(async () => {
      expect((await send(stack.url, { headers: { cookie } })).body).toBe('Views: 1');
    });
  });
});

describe(README, () => {
  it('should name for each problem the files that solve it, which exist', () => {
    const rows = readFileSync(join(ROOT, README), 'utf8').match(/^\| .*\]\(.*$/gm) ?? [];
    const files = rows.map((row) =>
      [...row.matchAll(/\]\(\.\.\/([^)]+)\)/g)].map(([, path]) => `services/${path}`),
    );
    expect(files).toEqual(Object.values(SOLVED_BY));
    for (const file of files.flat()) expect(existsSync(join(ROOT, file)), file).toBe(true);
  });
});
