import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../tools/lib/eventually.ts';
import { isAlive, listProcesses } from '../../tools/lib/processes.mjs';
import { inRedis } from '../../tools/lib/redis-client.ts';
import { ROOT } from '../../tools/lib/root.mjs';
import { Running } from '../../tools/lib/running.ts';
import { type Reply, Visitor } from '../../tools/lib/visitor.ts';
import { type SeatServer, seatsAtOnce, serveSeats } from '../../tools/seats/serve.ts';
import { sendCommand } from '../../tools/stack/control-client.ts';
import { stackFolder } from '../../tools/stack/folder.ts';
import { newName } from '../support/npm.ts';

/** What the page of an attendee gets. */
interface View {
  running: number;
  waiting: number;
  seat: {
    number: number;
    state: string;
    place: number;
    output: string;
    address?: { port: number; key: string };
  };
}

/** The browser of an attendee. */
class Attendee extends Visitor {
  async look(): Promise<View> {
    const abort = new AbortController();
    const { cookie } = this;
    const { signal } = abort;
    const { body } = await fetch(`${this.url}/events`, { headers: { cookie }, signal });
    let text = '';
    for await (const bytes of body ?? []) {
      text += Buffer.from(bytes).toString();
      if (text.endsWith('\n\n')) break;
    }
    abort.abort();
    return JSON.parse(text.replace('data: ', ''));
  }

  run(job: string): Promise<Reply> {
    return this.post('/seat/run', { job });
  }

  async until(state: string, ms = 30_000): Promise<View> {
    return eventually(async () => {
      const view = await this.look();
      expect(view.seat.state, view.seat.output).toBe(state);
      return view;
    }, ms);
  }
}

/** Sends a command to the Redis of a stack. */
const askRedis = async (stack: string, ...command: string[]) => {
  const { text } = await sendCommand(stack, ['redis']);
  return inRedis(text, (redis) => redis.sendCommand<unknown>(command));
};

/** Sends the command that kills an instance of a stack, as the page of the stack does. */
function kill(stack: Visitor, key: string): Promise<Reply> {
  const headers = { authorization: `Bearer ${key}` };
  return stack.post('/dashboard/faults/kill', { instance: 'app-1' }, { headers });
}

describe('seats', () => {
  const name = newName();
  let server: SeatServer;
  let ada: Attendee;
  let ben: Attendee;
  let eve: Attendee;

  beforeAll(async () => {
    const bounds = { seats: 3, atOnce: 2, memoryMb: 600 };
    server = await serveSeats({ name, ...bounds, bind: '127.0.0.1', port: 0, scale: 1 });
    [ada, ben, eve] = ['', '', ''].map(() => new Attendee(server.url)) as [
      Attendee,
      Attendee,
      Attendee,
    ];
  });
  afterAll(() => server?.close());

  it('should give each attendee one seat, and refuse one more', async () => {
    for (const [i, attendee] of [ada, ben, eve].entries()) {
      const { status, headers } = await attendee.send('/seat', { method: 'POST' });
      expect(status).toBe(204);
      expect(headers['set-cookie']?.[0]).toMatch(/=[\w-]{43}; .*HttpOnly; SameSite=Lax/);
      expect((await attendee.look()).seat.number).toBe(i + 1);
    }
    await ada.send('/seat', { method: 'POST' });
    expect((await ada.look()).seat.number, 'the same seat again').toBe(1);
    const late = await new Attendee(server.url).send('/seat', { method: 'POST' });
    expect(late).toMatchObject({ status: 409, body: expect.stringContaining('All 3 seats') });
  });

  it('should run only lessons and stacks, and only for the browser with the token', async () => {
    for (const job of ['--docs', '../../evil', 'lost-updates; true', '', 'npm']) {
      expect((await ada.run(job)).status, job).toBe(422);
    }
    for (const token of ['', '1', 'A'.repeat(43)]) {
      const guest = new Attendee(server.url, new Map([[`${name}.seat`, token]]));
      expect((await guest.run('stack')).status).toBe(403);
      expect((await guest.send('/seat/stop', { method: 'POST' })).status).toBe(403);
      expect((await guest.look()).seat, token).toBeUndefined();
    }
    const headers = { origin: 'http://other.example' };
    expect((await ada.post('/seat/run', { job: 'stack' }, { headers })).status).toBe(403);
    expect((await ada.look()).running).toBe(0);
  });

  it('should keep stacks apart, and let the third seat wait until one ends', async () => {
    await Promise.all([ada.run('stack'), ben.run('stack')]);
    const [its, other] = [(await ada.until('running')).seat, (await ben.until('running')).seat];
    await eve.run('session-contents');
    expect(await eve.look()).toMatchObject({
      running: 2,
      waiting: 1,
      seat: { state: 'waiting', place: 1 },
    });

    const [ofAda, ofBen] = [its, other].map(
      ({ address }) => new Visitor(`http://localhost:${address?.port}`),
    ) as [Visitor, Visitor];
    await ofAda.viewInTurn(5);
    await ofBen.viewInTurn(3);
    const { pid } = JSON.parse((await sendCommand(`${name}-02`, ['ps'], true)).text)[3];
    // The cookies of a browser go to every port of the host.
    const both = new Visitor(ofBen.url, new Map([...ofAda.cookies, ...ofBen.cookies]));
    expect((await both.view()).views).toBe(4);

    expect((await kill(ofBen, its.address?.key ?? '')).status, "another seat's key").toBe(401);
    expect((await kill(ofAda, its.address?.key ?? '')).status).toBeLessThan(300);
    await eventually(async () => {
      expect((await ada.look()).seat.output).toContain('app-1 is dead');
    });
    await askRedis(`${name}-01`, 'FLUSHALL');
    await sendCommand(`${name}-01`, ['start', 'app-1']);
    expect((await ofAda.view()).views, 'the damage was real').toBe(1);
    expect((await ofBen.view()).views).toBe(5);
    const after = JSON.parse((await sendCommand(`${name}-02`, ['ps'], true)).text)[3];
    expect(after).toMatchObject({ pid, state: 'ready' });

    expect((await eve.look()).seat.state, 'still waits').toBe('waiting');
    await ada.send('/seat/stop', { method: 'POST' });
    await eve.until('running');
    expect((await ada.until('idle')).seat.output).toMatch(/Stopped\.\n$/);
    expect(existsSync(stackFolder(`${name}-01`))).toBe(false);
    const { output } = (await eve.until('idle', 60_000)).seat;
    expect(output).toMatch(/^✓ /m);
    expect((await ofBen.view()).views, 'a lesson elsewhere').toBe(6);
  });

  it('should end an unused stack, and one in use only later', async () => {
    const { address } = (await ben.until('running')).seat;
    const stack = new Visitor(`http://localhost:${address?.port}`);
    await stack.view();
    server.room.options.idleMs = 2500;
    for (const since = Date.now(); Date.now() - since < 5000; ) await stack.view();
    expect((await ben.look()).seat.state).toBe('running');
    expect((await ben.until('idle')).seat.output).toContain(
      'Ended, because no request reached it.',
    );
    await expect(stack.view()).rejects.toThrow();
  });

  it('should end what exceeds the memory of a seat, and say so', async () => {
    server.room.options.memoryMb = 50; // the same lesson has passed with 600
    await eve.run('session-contents');
    const { output } = (await eve.until('idle')).seat;
    expect(output).toMatch(/Ended, because it used \d+ MB of memory\. A seat has 50 MB\.\n$/);
    expect(output).not.toContain('✓');
  });

  it('should give a returned seat to others, without the old token', async () => {
    const before = new Attendee(server.url, new Map(ada.cookies));
    expect((await ada.send('/seat', { method: 'DELETE' })).status).toBe(204);
    expect((await before.run('stack')).status).toBe(403);
    const guest = new Attendee(server.url);
    await guest.send('/seat', { method: 'POST' });
    expect((await guest.look()).seat).toMatchObject({ number: 1, output: '' });
    expect((await before.look()).seat).toBeUndefined();
  });
});

it('should run as many seats at once as memory and processor allow', () => {
  const gigabytes = (count: number) => count * 2 ** 30;
  expect(seatsAtOnce(600, gigabytes(8), 16)).toBe(12);
  expect(seatsAtOnce(600, gigabytes(8), 4)).toBe(4);
  expect(seatsAtOnce(600, gigabytes(0.5), 4)).toBe(1);
});

describe('npm start -- --seats', () => {
  const start = (...words: string[]) =>
    new Running(process.execPath, [join(ROOT, 'tools/stack/main.ts'), '--port', '0', ...words]);

  it.each(['SIGINT', 'SIGKILL'] as const)('should leave no process after %s', async (signal) => {
    const name = newName();
    await using running = start('--seats', '2', '--at-once', '2', '--name', name, '--scale', '1');
    const url = await eventually(() => {
      const [, found] = /^ready (\S+) seats=2$/m.exec(running.stdout) ?? [];
      if (!found) throw new Error(`not ready: ${running.stdout}${running.stderr}`);
      return found;
    });
    const [one, two] = [new Attendee(url), new Attendee(url)];
    for (const attendee of [one, two]) await attendee.send('/seat', { method: 'POST' });
    await one.run('stack');
    await two.run('scale-out');
    await one.until('running');
    const pids = await eventually(() => {
      const found = descendantsOf(running.child.pid ?? 0);
      const count = (program: string) => found.filter(([, name]) => name.includes(program)).length;
      const programs = ['workshop/run.ts', 'nginx: master', 'redis-server'].map(count);
      expect(programs, 'a lesson, and two stacks').toEqual([1, 2, 2]);
      return found.map(([pid]) => pid);
    }, 30_000);
    running.child.kill(signal);
    const { code } = await running.ended;
    if (signal === 'SIGINT') expect(code).toBe(0);
    await eventually(() => expect(pids.filter(isAlive)).toEqual([]), 5000);
    for (const folder of [name, `${name}-01`]) expect(existsSync(stackFolder(folder))).toBe(false);
  });

  it.each([
    [['--seats', '41'], '`--seats` expects a whole number from 1 to 40, not "41".'],
    [['--seats', '2', '--tls'], '`--seats` cannot be combined with `--tls`.'],
    [['--seats', '2', '--redis', 'cluster'], '`--seats` cannot be combined with `--redis`.'],
  ])('should refuse %j', async (words, message) => {
    await using running = start(...words);
    expect(await running.ended).toMatchObject({ code: 2, stderr: `${message}\n` });
  });
});

/** The ids of all processes below one, each with its command line. */
function descendantsOf(root: number): [pid: number, command: string][] {
  const all = listProcesses();
  const isBelow = (pid: number): boolean => {
    const parent = all.get(pid)?.ppid;
    return parent === root || (Boolean(parent) && isBelow(parent ?? 0));
  };
  return [...all].filter(([pid]) => isBelow(pid)).map(([pid, { command }]) => [pid, command]);
}
