import { once } from 'node:events';
import {
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempDisposableSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer as createHttpServer, request, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { eventually } from '../../tools/lib/eventually.ts';
import { listProcesses } from '../../tools/lib/processes.mjs';
import { inRedis } from '../../tools/lib/redis-client.ts';
import { ROOT } from '../../tools/lib/root.mjs';
import { Running } from '../../tools/lib/running.ts';
import { launcherOf } from '../../tools/lib/stack-folder.mjs';
import { send, Visitor } from '../../tools/lib/visitor.ts';
import { controlSocket, stackFolder } from '../../tools/stack/folder.ts';
import type { ProcessStatus } from '../../tools/stack/managed-process.ts';
import { Stack } from '../../tools/stack/stack.ts';
import { Checkout } from '../support/checkout.ts';
import { newName, npmRunStack, npmStart, ready } from '../support/npm.ts';

// As a user runs it: npm start in one terminal, npm run stack in another.

async function ps(name: string): Promise<ProcessStatus[]> {
  return JSON.parse((await npmRunStack('ps', '--json', '--name', name)).stdout);
}

const main = join(ROOT, 'tools/stack/main.ts');

const isAlive = (pid: number | null) => {
  try {
    return process.kill(pid ?? 0, 0);
  } catch {
    return false;
  }
};

async function expectNothingLeft(name: string, processes: ProcessStatus[]): Promise<void> {
  await eventually(() => {
    expect(processes.filter(({ pid }) => isAlive(pid))).toEqual([]);
    expect(existsSync(stackFolder(name))).toBe(false);
  }, 3000);
}

describe('npm start', () => {
  it('should report that it is ready, and leave nothing behind after Ctrl-C', async () => {
    const name = newName();
    await using running = npmStart(['--port', '0', '--name', name]);
    const url = await ready(running);
    expect(running.stdout).toContain(`ready ${url} instances=3\n`);
    expect((await new Visitor(url).viewInTurn(6)).map(({ views }) => views)).toEqual([
      1, 2, 3, 4, 5, 6,
    ]);
    const processes = await ps(name);
    expect(processes).toHaveLength(6);
    expect(processes.every(({ pid }) => isAlive(pid))).toBe(true);

    process.kill(-(running.child.pid ?? 0), 'SIGINT'); // like a terminal: to the whole process group
    expect((await running.ended).code).toBe(0);
    await expectNothingLeft(name, processes);
  });

  it.each(['SIGTERM', 'SIGKILL'] as const)(
    'should leave nothing behind if npm gets %s',
    async (signal) => {
      const name = newName();
      await using running = npmStart(['--port', '0', '--scale', '1', '--name', name]);
      await ready(running);
      const processes = await ps(name);
      running.child.kill(signal);
      await running.ended;
      await expectNothingLeft(name, processes);
    },
  );

  it('should leave only the data of Redis behind if the launcher is killed, and go on with it', async () => {
    const name = newName();
    const words = [main, '--port', '0', '--scale', '2', '--name', name];
    await using running = new Running(process.execPath, words);
    const visitor = new Visitor(await ready(running));
    await visitor.viewInTurn(3);
    const processes = await ps(name);
    await npmRunStack('pause', 'app-1', '--name', name);
    running.child.kill('SIGKILL');
    await running.ended;

    await using again = new Running(process.execPath, words);
    const url = await ready(again);
    // A process that was killed has its pid until process 1 of the system asks for its end.
    await eventually(() => expect(processes.filter(({ pid }) => isAlive(pid))).toEqual([]));
    expect(again.stdout).toContain('Continuing with the data of a stack that was killed.\n');
    const returning = new Visitor(url);
    for (const [cookie, value] of visitor.cookies) returning.cookies.set(cookie, value);
    expect(await returning.view()).toMatchObject({ views: 4 });
    again.child.kill('SIGTERM');
    await again.ended;
    await expectNothingLeft(name, processes);
  });

  it('should leave nothing behind after Ctrl-C during the start', async () => {
    const name = newName();
    await using running = new Running(process.execPath, [main, '--port', '0', '--name', name]);
    await eventually(() => expect(existsSync(join(stackFolder(name), 'redis.log'))).toBe(true));
    running.child.kill('SIGINT');
    await running.ended;
    await expectNothingLeft(name, []);
  });

  it('should not take another process for its launcher', async () => {
    const name = newName();
    mkdirSync(stackFolder(name), { recursive: true });
    for (const file of ['launcher.pid', 'launcher']) {
      writeFileSync(join(stackFolder(name), file), `${process.pid}`);
    }
    await using running = new Running(process.execPath, [main, '--port', '0', '--name', name]);
    await ready(running);
    running.child.kill('SIGTERM');
    expect((await running.ended).code).toBe(0);
  });

  it('should keep other users away from its files and its Redis', async () => {
    await using stack = await Stack.start({ scale: 1 });
    const modeOf = (path: string) => statSync(path).mode & 0o777;
    expect(modeOf(stack.folder) & 0o066).toBe(0);
    expect(modeOf(dirname(stack.folder)) & 0o066).toBe(0);
    for (const file of readdirSync(stack.folder)) {
      const [path, isOpen] = [join(stack.folder, file), file === 'nginx'];
      if (!isOpen) expect(modeOf(path) & 0o077, file).toBe(0);
    }
    const stranger = connect(stack.redis.port, '127.0.0.1');
    stranger.write('PING\r\nQUIT\r\n');
    expect(await text(stranger)).toMatch(/^-NOAUTH /);
    const password = new URL(stack.redis.url).password;
    expect(password).toMatch(/^[\w-]{32,}$/);
    for (const { command } of listProcesses().values()) expect(command).not.toContain(password);
  });

  it.skipIf(process.getuid?.() !== 0)('should not use a folder of another user', async () => {
    using folder = mkdtempDisposableSync(join(tmpdir(), 'shared-state-planted-'));
    const planted = join(folder.path, 'shared-state-0');
    mkdirSync(planted);
    chownSync(planted, 12_345, 12_345);
    const words = [main, '--port', '0'];
    await using running = new Running(process.execPath, words, { TMPDIR: folder.path });
    expect(await running.ended).toMatchObject({
      code: 1,
      stderr: `${planted} belongs to another user; set TMPDIR to a folder of your own.\n`,
    });
  });

  it('should survive the end of its terminal under nohup', async () => {
    const name = newName();
    // Under nohup too the output goes to no terminal, and npm is ended by the signal.
    await using running = npmStart(['--port', '0', '--scale', '1', '--name', name]);
    const url = await ready(running);
    const processes = await ps(name);
    process.kill(-(running.child.pid ?? 0), 'SIGHUP');
    await once(running.child, 'exit');
    await npmRunStack('restart', 'app-1', '--name', name);
    await npmRunStack('restart', 'dashboard', '--name', name);
    expect((await send(`${url}/`)).status).toBe(200);
    process.kill(launcherOf(stackFolder(name))?.pid ?? 0, 'SIGTERM');
    await running.ended;
    await expectNothingLeft(name, processes);
  });

  it('should start from files with the line ends of Windows, and end if it is killed', async () => {
    using checkout = new Checkout();
    for (const entry of readdirSync(checkout.root, { recursive: true, withFileTypes: true })) {
      const file = join(entry.parentPath, entry.name);
      if (!entry.isFile() || !/\.(ts|mjs|sh|conf|json)$/.test(file)) continue;
      writeFileSync(file, readFileSync(file, 'utf8').replaceAll('\n', '\r\n'));
    }
    checkout.linkPackages();
    const words = ['tools/stack/main.ts', '--port', '0', '--scale', '1'];
    await using running = checkout.start(process.execPath, words);
    const url = await ready(running);
    expect((await send(`${url}/`)).body).toBe('Views: 1');
    running.child.kill('SIGKILL');
    await eventually(() => expect(send(url)).rejects.toThrow('ECONNREFUSED'));
    expect(running.stdout).not.toContain('watchdog');
  });

  it('should start in any shell of the user', async () => {
    using folder = mkdtempDisposableSync(join(tmpdir(), "it's a-"));
    const proxy = 'http://127.0.0.1:9';
    const env = {
      ...{
        NODE_USE_ENV_PROXY: '1',
        HTTP_PROXY: proxy,
        http_proxy: proxy,
        NO_PROXY: '',
        no_proxy: '',
      },
      ...{
        LC_ALL: 'xx_YY.UTF-8',
        NODE_OPTIONS: '--inspect=0 --no-warnings',
        NGINX: '/usr/sbin/nginx',
      },
      ...{ REDIS_URL: 'nonsense', INSTANCE: 'a b', HOST: 'nonsense', PORT: 'nonsense' },
      TMPDIR: relative(ROOT, folder.path),
    };
    const shell = 'umask 0777; ulimit -n 256; exec "$0" "$@"';
    const words = [main, '--port', '0', '--scale', '1'];
    await using running = new Running('sh', ['-c', shell, process.execPath, ...words], env);
    const url = await ready(running);
    expect((await send(`${url}/`)).body).toBe('Views: 1');
    running.child.kill('SIGTERM');
    expect((await running.ended).code).toBe(0);
    const [parent = ''] = readdirSync(folder.path);
    expect(readdirSync(join(folder.path, parent))).toEqual([]);
  });

  it.each([
    [{ TMPDIR: join(tmpdir(), 'x'.repeat(90)) }, /^The path \S+ is too long; set TMPDIR to a/],
    [{ TMPDIR: main }, /^ENOTDIR: not a directory, mkdir '\S+'$/],
    [{ HTTP_PORT: '8081\r' }, /^`HTTP_PORT` expects a whole number .*, not "8081\\r"\.$/],
    [
      { SESSION_SECRET: 'short' },
      /^(app-1|dashboard) did not start: SESSION_SECRET=\(5 characters, not shown\)/,
    ],
    [{ NODE_OPTIONS: '--no-such-option' }, /--no-such-option is not allowed in NODE_OPTIONS$/],
  ])('should refuse %j in one line', async (env, message) => {
    const port = 'HTTP_PORT' in env ? [] : ['--port', '0'];
    const words = [main, ...port, '--scale', '1', '--name', newName()];
    await using running = new Running(process.execPath, words, env);
    const { code, stderr } = await running.ended;
    expect(code).not.toBe(0);
    expect(stderr.trimEnd()).toMatch(message);
    expect(stderr.trimEnd()).not.toContain('\n');
  });

  it('should pass environment variables on, and print the warnings of the instances', async () => {
    const ports = { HTTP_PORT: '0', PORT: '1' };
    const env = { ...ports, SESSION_COOKIE_NAME: 'visit', SESSION_STORE: 'memory' };
    await using running = npmStart(['--scale=1', '--name', newName()], env);
    const visitor = new Visitor(await ready(running));
    await visitor.view();
    expect([...visitor.cookies.keys()]).toEqual(['visit']);
    expect(running.stdout).toContain('app-1: SESSION_STORE=memory');
  });

  it.each(['app', 'minimal'])(
    'should share no cookie with another stack, so that one browser can use both: %s',
    async (program) => {
      const name = newName();
      await using first = await Stack.start({ scale: 2, program });
      await using second = await Stack.start({ scale: 2, program, name });
      const visitor = new Visitor(first.url);
      const same = new Visitor(second.url, visitor.cookies);
      for (const views of [1, 2, 3]) {
        expect((await visitor.send()).body).toBe(`Views: ${views}`);
        expect((await same.send()).body).toBe(`Views: ${views}`);
      }
      expect([...visitor.cookies.keys()]).toEqual(['connect.sid', `connect.sid.${name}`]);
      const seen = JSON.parse((await same.send('/dashboard/session')).body);
      expect(seen.views).toBe(program === 'app' ? 3 : 0); // minimal counts for itself
    },
  );

  it('should report an invalid setting of an instance, and exit 1', async () => {
    const words = ['--port', '0', '--name', newName()];
    await using running = npmStart(words, { CACHE_TTL_SECONDS: '0' });
    const { code, stderr } = await running.ended;
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^app-\d did not start: CACHE_TTL_SECONDS="0": must be a whole number from 1 to 86400$/m,
    );
  });

  it.each([
    ['127.0.0.1', 'is in use on 127.0.0.1'],
    ['::1', 'is in use on ::1, where a browser looks for localhost'],
  ])('should report that its port is in use on %s, and exit 1', async (host, reason) => {
    const server = createServer().listen(0, host);
    await once(server, 'listening');
    const port = String((server.address() as AddressInfo).port);
    await using running = npmStart(['--port', port, '--name', newName()]);
    const { code, stderr } = await running.ended;
    server.close();
    expect(code).toBe(1);
    expect(stderr).toBe(`Port ${port} ${reason}; try \`npm start -- --port 8081\`.\n`);
  });

  it.each([
    ['203.0.113.1', '203.0.113.1 is not an address of this machine'],
    ['localhost', '"localhost" is not an IP address'],
    [`${'x'.repeat(9999)}`, `"${'x'.repeat(60)}…" is not an IP address`],
  ])('should report at once that BIND cannot be had, with any port (%#)', async (BIND, reason) => {
    for (const port of ['0', '8080']) {
      const words = [main, '--port', port, '--name', newName()];
      await using running = new Running(process.execPath, words, { BIND });
      const { code, stderr } = await running.ended;
      expect(stderr).toBe(`BIND=${reason}; unset BIND, or set BIND=0.0.0.0 for an audience.\n`);
      expect(code).toBe(1);
    }
  });

  it.each([
    [['--scale', 'many'], '`--scale` expects a whole number from 1 to 32, not "many".'],
    [['--scale', '0'], '`--scale` expects a whole number from 1 to 32, not "0".'],
    [['--port', '65536'], '`--port` expects a whole number from 0 to 65535, not "65536".'],
    [['--port', '-1'], /--port/],
    [
      ['--name', 'A b'],
      '`--name` expects up to 20 lowercase letters, digits and hyphens, not "A b".',
    ],
    [
      ['--program', 'nope'],
      /^There is no program "nope"; choose one of app, dashboard(, minimal)?\.$/m,
    ],
    [['--program', 'test/nope.ts'], 'There is no program "test/nope.ts"; choose one of app, '],
    [['--redis', 'nope'], '`--redis` knows no "nope"; choose from single, sentinel, cluster.'],
    [['--frob'], "Unknown option '--frob'"],
  ])('should refuse %j in one line and exit 2', async (words, message) => {
    const name = words.includes('--name') ? [] : ['--name', newName()];
    const port = words.includes('--port') ? [] : ['--port', '0'];
    await using running = new Running(process.execPath, [main, ...words, ...name, ...port]);
    const { code, stderr } = await running.ended;
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
    expect(stderr.trimEnd()).not.toContain('\n');
  });
});

describe('npm run stack', () => {
  it('should control one of two stacks and leave the other alone', async () => {
    const [blue, green] = [newName(), newName()];
    await using first = npmStart(['--name', blue, '--port', '0', '--scale', '2']);
    await using second = npmStart(['--port', '0', '--scale', '1', `--name=${green}`]);
    const url = await ready(first);
    const otherUrl = await ready(second);
    const stack = (...words: string[]) => npmRunStack('--name', blue, ...words);
    const states = async () =>
      Object.fromEntries((await ps(blue)).map(({ name, state }) => [name, state]));
    const others = await ps(green);

    // ps as a table
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
      stderr: 'app-2 is not running; start it with `start app-2`.\n',
    });
    expect(await stack('start', 'app-2')).toMatchObject({ code: 0, stdout: 'app-2 ready\n' });
    expect(await stack('start', 'app-2')).toMatchObject({
      code: 1,
      stderr: 'app-2 is already running.\n',
    });

    // stop: in order, and not reported as dead
    expect(await stack('stop', 'app-1')).toMatchObject({ code: 0, stdout: 'app-1 stopped\n' });
    expect(first.stdout).not.toContain('app-1 is dead');
    expect(await states()).toEqual({
      nginx: 'ready',
      redis: 'ready',
      dashboard: 'ready',
      'app-1': 'stopped',
      'app-2': 'ready',
    });

    // an instance that dies by itself stays dead
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

    const redisUrl = (await stack('redis')).stdout.trim();
    expect(await inRedis(redisUrl, (redis) => redis.keys('sess:*'))).not.toEqual([]);
    expect(redisUrl).toMatch(/^redis:\/\/default:[\w-]+@/); // redis-cli requires the user
    const config = () => readFileSync(join(ROOT, 'redis/redis.conf'), 'utf8');
    const before = config();
    await inRedis(redisUrl, (redis) => redis.configRewrite());
    expect(config()).toBe(before); // each Redis has a copy

    // nginx; its workers must not outlive it
    expect(await stack('kill', 'nginx')).toMatchObject({ code: 0, stdout: 'nginx dead\n' });
    await expect(send(`${url}/`)).rejects.toThrow('ECONNREFUSED');
    expect(await stack('start', 'nginx')).toMatchObject({ code: 0, stdout: 'nginx ready\n' });
    expect((await send(`${url}/`)).status).toBe(200);

    // the dashboard reaches the stack too
    await new Visitor(url).post('/dashboard/stack/start', { instance: 'app-2' });
    await eventually(async () => {
      const { faults } = JSON.parse((await send(`${url}/dashboard/instances`)).body);
      expect(faults.control).toEqual({ busy: false, failure: 'app-2 is already running.' });
    });

    // invalid arguments
    for (const [words, message] of [
      [
        ['kill', 'app-9'],
        'There is no process "app-9"; choose one of nginx, redis, dashboard, app-1, app-2, app-3.',
      ],
      [['kill'], '`kill` expects a name, for example `kill app-1`.'],
      [['scale'], '`scale` expects a number, for example `scale 3`.'],
      [['scale', 'x'], '`scale` expects a number, for example `scale 3`.'],
      [['scale', '0'], 'The number of instances must be a whole number from 1 to 32.'],
      [['scale', '33'], 'The number of instances must be a whole number from 1 to 32.'],
      [['set'], '`set` expects a setting, for example `SESSION_STORE=memory`.'],
      [['set', 'CACHE'], '`set` expects a setting, for example `SESSION_STORE=memory`.'],
      [['set', 'CACHE=off', 'CASH=off'], '`set` cannot change "CASH"; see docs/reference.md.'],
      [['set', 'PORT=3000'], '`set` cannot change "PORT"; see docs/reference.md.'],
      [['constructor', 'app-1'], 'There is no command "constructor"; see `npm run stack`.'],
      [['ps', 'app-1'], '`ps` takes no name.'],
      [['ps', '--jsno'], "Unknown option '--jsno'"],
      [['kill', 'app-1', 'app-2'], '`kill` takes one argument; remove "app-2".'],
    ] as const) {
      const { code, stdout, stderr } = await stack(...words);
      expect({ code, stdout }, words.join(' ')).toEqual({ code: 2, stdout: '' });
      expect(stderr).toMatch(message);
      expect(stderr.trimEnd()).not.toContain('\n');
    }

    // the other stack is unaffected
    expect(await ps(green)).toEqual(others);
    expect((await send(`${otherUrl}/`)).status).toBe(200);

    // the name is in use while the stack runs
    await using again = npmStart(['--name', blue, '--port', '0']);
    expect(await again.ended).toMatchObject({
      code: 1,
      stderr: `A stack named "${blue}" is already running; stop it with Ctrl-C or choose another \`--name\`.\n`,
    });
    expect((await send(`${url}/`)).status).toBe(200);
  }, 90_000);

  it('should survive cancelled commands, other clients of its socket, and errors of its own', async () => {
    const name = newName();
    using folder = mkdtempDisposableSync(join(tmpdir(), 'shared-state-preload-'));
    const preload = join(folder.path, 'throw.cjs');
    writeFileSync(preload, "process.on('SIGUSR2', () => { throw new Error('a bug'); });");
    const words = ['--require', preload, main, '--name', name, '--port', '0', '--scale', '1'];
    await using running = new Running(process.execPath, words);
    const url = await ready(running);
    const post = (body: string) => {
      const req = request({ socketPath: controlSocket(name), method: 'POST' });
      req.end(body);
      return once(req, 'response').then(async ([res]) => JSON.parse(await text(res)));
    };

    // A command waits for the one before, is cancelled, and the next one still runs.
    const scaled = npmRunStack('scale', '2', '--name', name);
    const log = join(stackFolder(name), 'app-2.log');
    await eventually(() => expect(existsSync(log)).toBe(true)); // `scale` is at work
    const cancelled = connect(controlSocket(name));
    const head = 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n';
    cancelled.write(`${head}{"words"`, () => cancelled.destroy());
    expect(await scaled).toMatchObject({ code: 0, stdout: '2 instances\n' });

    for (const body of ['', 'ps', 'null', '[]', '{}', '{"words":"ps"}', '{"words":[1]}']) {
      const answer = { text: 'The command is not readable; use `npm run stack`.', exitCode: 2 };
      expect(await post(body), body).toEqual(answer);
    }

    running.child.kill('SIGUSR2');
    await eventually(() => expect(running.stderr).toContain('Error: a bug'));
    running.child.stdout?.destroy();
    running.child.stderr?.destroy();
    expect(await post('{"words":["kill","app-2"]}')).toEqual({ text: 'app-2 dead', exitCode: 0 });
    expect(await post('{"words":["start","app-2"]}')).toEqual({ text: 'app-2 ready', exitCode: 0 });
    expect((await send(`${url}/`)).status).toBe(200);
  });

  it.each([
    ['before', (res: ServerResponse) => res.socket?.destroy()],
    ['in', (res: ServerResponse) => res.write('{', () => res.socket?.destroy())],
  ])('should report that the stack has ended %s its answer, and exit 1', async (_when, end) => {
    const name = newName();
    mkdirSync(stackFolder(name), { recursive: true });
    await using server = createHttpServer((_req, res) => end(res)).listen(controlSocket(name));
    await once(server, 'listening');
    const { code, stderr } = await npmRunStack('ps', '--name', name);
    rmSync(stackFolder(name), { recursive: true });
    expect(stderr).toBe(`The stack named "${name}" has ended before it answered.\n`);
    expect(code).toBe(1);
  });

  it('should report that no stack of that name runs, and exit 2', async () => {
    const { code, stderr } = await npmRunStack('ps', '--name', 'none');
    expect(code).toBe(2);
    expect(stderr).toBe('No stack named "none" is running; start one with `npm start`.\n');
  });

  it('should list its commands', async () => {
    const { code, stdout } = await npmRunStack();
    expect(code).toBe(0);
    expect(stdout).toContain('kill NAME');
  });
});
