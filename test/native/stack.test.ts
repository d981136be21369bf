import { once } from 'node:events';
import { existsSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { eventually } from '../../tools/lib/eventually.ts';
import { ROOT } from '../../tools/lib/root.ts';
import { Running } from '../../tools/lib/running.ts';
import { send, Visitor } from '../../tools/lib/visitor.ts';
import type { Status } from '../../tools/stack/part.ts';
import { folderOf } from '../../tools/stack/stack.ts';
import { newName, npmRunStack, npmStart, ready } from '../support/npm.ts';

// The stack as a person uses it: npm start in one terminal, npm run stack in another.

async function ps(name: string): Promise<Status[]> {
  return JSON.parse((await npmRunStack('ps', '--json', '--name', name)).stdout);
}

const isAlive = (pid: number | null) => {
  try {
    return process.kill(pid ?? 0, 0);
  } catch {
    return false;
  }
};

async function expectNothingLeft(name: string, parts: Status[]): Promise<void> {
  await eventually(() => {
    expect(parts.filter(({ pid }) => isAlive(pid))).toEqual([]);
    expect(existsSync(folderOf(name))).toBe(false);
  }, 3000);
}

describe('npm start', () => {
  it('should say when it is ready, and leave nothing behind after Ctrl-C', async () => {
    const name = newName();
    await using running = npmStart(['--port', '0', '--name', name]);
    const url = await ready(running);
    expect(running.stdout).toContain(`ready ${url} instances=3\n`);
    expect((await new Visitor(url).viewInTurn(6)).map(({ views }) => views)).toEqual([
      1, 2, 3, 4, 5, 6,
    ]);
    const parts = await ps(name);
    expect(parts).toHaveLength(6);
    expect(parts.every(({ pid }) => isAlive(pid))).toBe(true);

    process.kill(-(running.child.pid ?? 0), 'SIGINT'); // as a terminal does: to the whole group
    expect((await running.ended).code).toBe(0);
    await expectNothingLeft(name, parts);
  });

  it.each(['SIGTERM', 'SIGKILL'] as const)(
    'should leave nothing behind where npm gets %s',
    async (signal) => {
      const name = newName();
      await using running = npmStart(['--port', '0', '--scale', '1', '--name', name]);
      await ready(running);
      const parts = await ps(name);
      running.child.kill(signal);
      await running.ended;
      await expectNothingLeft(name, parts);
    },
  );

  it('should leave nothing behind where the launcher is killed', async () => {
    const name = newName();
    const main = join(ROOT, 'tools/stack/main.ts');
    const words = ['--port', '0', '--scale', '2', '--name', name];
    await using running = new Running(process.execPath, [main, ...words]);
    await ready(running);
    const parts = await ps(name);
    await npmRunStack('pause', 'app-1', '--name', name);
    running.child.kill('SIGKILL');
    await expectNothingLeft(name, parts);
  });

  it('should pass environment variables on, and print the warnings of the instances', async () => {
    const env = { SESSION_COOKIE_NAME: 'visit', SESSION_STORE: 'memory' };
    await using running = npmStart(['--port', '0', '--scale=1', '--name', newName()], env);
    const visitor = new Visitor(await ready(running));
    await visitor.view();
    expect([...visitor.cookies.keys()]).toEqual(['visit']);
    expect(running.stdout).toContain('app-1: SESSION_STORE=memory');
  });

  it('should say which setting of an instance is not allowed, and exit 1', async () => {
    const words = ['--port', '0', '--name', newName()];
    await using running = npmStart(words, { CACHE_TTL_SECONDS: '0' });
    const { code, stderr } = await running.ended;
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^app-\d did not start: CACHE_TTL_SECONDS="0": must be a whole number from 1 to 86400$/m,
    );
  });

  it('should say that its port is taken, and exit 1', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const port = String((server.address() as AddressInfo).port);
    await using running = npmStart(['--port', port, '--name', newName()]);
    const { code, stderr } = await running.ended;
    server.close();
    expect(code).toBe(1);
    expect(stderr).toContain(`port ${port} is taken; choose another: npm start -- --port 8081`);
  });

  it.each([
    [['--scale', 'many'], '--scale "many": wants a whole number'],
    [['--scale', '0'], 'the number of instances must be a whole number from 1 to 32'],
    [['--port', '65536'], '--port "65536": wants a whole number'],
    [['--port', '-1'], /--port/],
    [['--name', 'A b'], '--name "A b": a name has up to 20 small letters, digits and hyphens'],
    [['--frob'], "Unknown option '--frob'"],
  ])('should refuse %j in one line and exit 2', async (words, message) => {
    const name = words.includes('--name') ? [] : ['--name', newName()];
    const port = words.includes('--port') ? [] : ['--port', '0'];
    const main = join(ROOT, 'tools/stack/main.ts');
    await using running = new Running(process.execPath, [main, ...words, ...name, ...port]);
    const { code, stderr } = await running.ended;
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
    expect(stderr.trimEnd()).not.toContain('\n');
  });
});

describe('npm run stack', () => {
  it('should steer one of two stacks and leave the other alone', async () => {
    const [blue, green] = [newName(), newName()];
    await using first = npmStart(['--name', blue, '--port', '0', '--scale', '2']);
    await using second = npmStart(['--port', '0', '--scale', '1', `--name=${green}`]);
    const url = await ready(first);
    const otherUrl = await ready(second);
    const stack = (...words: string[]) => npmRunStack('--name', blue, ...words);
    const states = async () =>
      Object.fromEntries((await ps(blue)).map(({ name, state }) => [name, state]));
    const others = await ps(green);

    // ps, for people
    const lines = (await stack('ps')).stdout.trimEnd().split('\n');
    expect(lines[0]).toMatch(/^NAME +PID +PORT +STATE$/);
    expect(lines.slice(1).map((line) => line.replace(/ +\d+ +\d+ +/, ' '))).toEqual([
      'nginx ready',
      'redis ready',
      'dashboard ready',
      'app-1 ready',
      'app-2 ready',
    ]);

    // kill, start
    expect(await stack('kill', 'app-2')).toMatchObject({ code: 0, stdout: 'app-2 dead\n' });
    expect(first.stdout).toContain('app-2 is dead (SIGKILL)');
    expect(await stack('kill', 'app-2')).toMatchObject({
      code: 1,
      stderr: 'app-2 is not running\n',
    });
    expect(await stack('start', 'app-2')).toMatchObject({ code: 0, stdout: 'app-2 ready\n' });
    expect(await stack('start', 'app-2')).toMatchObject({ code: 1, stderr: 'app-2 is running\n' });

    // stop: in order, and not a death
    expect(await stack('stop', 'app-1')).toMatchObject({ code: 0, stdout: 'app-1 stopped\n' });
    expect(first.stdout).not.toContain('app-1 is dead');
    expect(await states()).toEqual({
      nginx: 'ready',
      redis: 'ready',
      dashboard: 'ready',
      'app-1': 'stopped',
      'app-2': 'ready',
    });

    // an instance that dies unasked stays dead
    const victim = (await ps(blue)).find(({ name }) => name === 'app-2');
    process.kill(victim?.pid ?? 0, 'SIGKILL');
    await eventually(async () => expect((await states())['app-2']).toBe('dead'));
    expect((await send(`${url}/`)).status).toBe(502);
    expect(await stack('scale', '3')).toMatchObject({ code: 0, stdout: '3 instances\n' });
    expect((await send(`${url}/`)).status).toBe(200);

    // Redis
    expect(await stack('pause', 'redis')).toMatchObject({ code: 0, stdout: 'redis paused\n' });
    expect((await send(`${url}/`)).status).toBe(503);
    expect(await stack('resume', 'redis')).toMatchObject({ code: 0, stdout: 'redis ready\n' });
    expect(await stack('restart', 'redis')).toMatchObject({ code: 0, stdout: 'redis ready\n' });
    await eventually(async () => expect((await send(`${url}/`)).status).toBe(200));

    // nginx, whose workers must not outlive it
    expect(await stack('kill', 'nginx')).toMatchObject({ code: 0, stdout: 'nginx dead\n' });
    await expect(send(`${url}/`)).rejects.toThrow('ECONNREFUSED');
    expect(await stack('start', 'nginx')).toMatchObject({ code: 0, stdout: 'nginx ready\n' });
    expect((await send(`${url}/`)).status).toBe(200);

    // the words of people
    for (const [words, message] of [
      [
        ['kill', 'app-9'],
        'there is no "app-9" here, only nginx, redis, dashboard, app-1, app-2, app-3',
      ],
      [['kill'], 'kill wants a name: kill app-1'],
      [['scale'], 'scale wants a number: scale 3'],
      [['scale', 'x'], 'scale wants a number: scale 3'],
      [['scale', '0'], 'the number of instances must be a whole number from 1 to 32'],
      [['scale', '33'], 'the number of instances must be a whole number from 1 to 32'],
      [['constructor', 'app-1'], 'there is no command "constructor"; try: npm run stack'],
      [['ps', 'app-1'], 'ps wants no name'],
      [['ps', '--jsno'], "Unknown option '--jsno'"],
      [['kill', 'app-1', 'app-2'], 'too many words: app-2'],
    ] as const) {
      const { code, stdout, stderr } = await stack(...words);
      expect({ code, stdout }, words.join(' ')).toEqual({ code: 2, stdout: '' });
      expect(stderr).toMatch(message);
      expect(stderr.trimEnd()).not.toContain('\n');
    }

    // the other stack has noticed nothing
    expect(await ps(green)).toEqual(others);
    expect((await send(`${otherUrl}/`)).status).toBe(200);

    // and the name is taken for as long as the stack runs
    await using again = npmStart(['--name', blue, '--port', '0']);
    expect((await again.ended).code).toBe(1);
    expect((await send(`${url}/`)).status).toBe(200);
  }, 90_000);

  it('should say that no stack of that name runs, and exit 2', async () => {
    const { code, stderr } = await npmRunStack('ps', '--name', 'nobody');
    expect(code).toBe(2);
    expect(stderr).toBe('no stack called "nobody" is running; start one: npm start\n');
  });

  it('should explain itself', async () => {
    const { code, stdout } = await npmRunStack();
    expect(code).toBe(0);
    expect(stdout).toContain('kill NAME');
  });
});
