import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { appendFileSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../tools/lib/eventually.ts';
import { isAlive, listProcesses } from '../../tools/lib/processes.mjs';
import { Checkout } from '../support/checkout.ts';
import { docker, dockerMissing } from '../support/docker.ts';
import { ready } from '../support/npm.ts';

const missing = dockerMissing();

/** A project and a folder for temporary files of its own, apart from those of other tests. */
const PROJECT = `shared-state-test-${randomBytes(4).toString('hex')}`;

describe('npm run reset', () => {
  let checkout: Checkout;
  beforeAll(() => {
    checkout = new Checkout();
    checkout.commit();
    checkout.linkPackages();
  });
  afterAll(() => checkout[Symbol.dispose]());

  const reset = async () => {
    await using running = checkout.run('reset.mjs', [], { COMPOSE_PROJECT_NAME: PROJECT });
    return await running.ended;
  };
  const folderOf = (name: string) =>
    join(checkout.folder, `shared-state-${process.getuid?.() ?? 0}`, name);
  /** The smallest stack there is, by npm start. */
  const start = (name: string, where = checkout, env: NodeJS.ProcessEnv = {}) =>
    where.start('npm', ['start', '--', '--port', '0', '--scale', '1', '--name', name], env);
  /** The pids of a stack: launcher, watchdog and parts. */
  function pidsOf(name: string): number[] {
    const processes = [...listProcesses()];
    const watchdog = processes.find(([, { command }]) =>
      command.endsWith(`watchdog.sh ${folderOf(name)}`),
    );
    if (!watchdog) throw new Error(`the stack ${name} has no watchdog`);
    const launcher = watchdog[1].ppid;
    const children = processes.filter(([, { ppid }]) => ppid === launcher).map(([pid]) => pid);
    return [launcher, ...new Set([watchdog[0], ...children])];
  }

  it('should end all stacks in order, and then find nothing to do', async () => {
    await using red = start('red');
    await ready(red);
    await using blue = start('blue');
    await ready(blue);
    const pids = [...pidsOf('red'), ...pidsOf('blue')];
    expect(pids.length).toBeGreaterThanOrEqual(2 * 6);

    const { stdout, code } = await reset();
    expect(stdout).toContain('Ended the stack "blue".\n');
    expect(stdout).toContain('Ended the stack "red".\n');
    expect(code).toBe(0);
    await eventually(() => expect(pids.filter(isAlive)).toEqual([]));
    expect(existsSync(folderOf('red'))).toBe(false);
    expect((await red.ended).stdout).toContain('ending ...');

    expect(await reset()).toMatchObject({
      stdout: expect.stringMatching(/^Nothing to do\.\n/),
      code: 0,
    });
  });

  it('should end the processes of a stack whose launcher and watchdog were killed', async () => {
    await using running = start('orphans');
    await ready(running);
    const [launcher = 0, watchdog = 0, ...parts] = pidsOf('orphans');
    expect(parts.length).toBe(4); // nginx, Redis, dashboard, app-1
    process.kill(watchdog, 'SIGKILL');
    process.kill(launcher, 'SIGKILL');
    await running.ended;
    // A process that has ended, but still has its pid, has an empty command line.
    const living = () => parts.filter((pid) => listProcesses().get(pid)?.command);
    expect(living()).toEqual(parts);

    const { stdout, code } = await reset();
    expect(stdout).toContain('Removed the rest of the stack "orphans".\n');
    expect(code).toBe(0);
    expect(living()).toEqual([]);
    expect(existsSync(folderOf('orphans'))).toBe(false);
  });

  it('should not end a process that has the pid of a dead launcher', async () => {
    const stranger = spawn('sleep', ['60']);
    try {
      mkdirSync(folderOf('stale'), { recursive: true });
      writeFileSync(join(folderOf('stale'), 'launcher'), `${stranger.pid}-1\n${checkout.root}/`);
      const { stdout, code } = await reset();
      expect(stdout).toContain('Removed the rest of the stack "stale".\n');
      expect(code).toBe(0);
      expect(existsSync(folderOf('stale'))).toBe(false);
      expect(stranger.exitCode ?? stranger.signalCode).toBeNull();
    } finally {
      stranger.kill();
    }
  });

  it('should report the stack of another checkout, and not end it', async () => {
    using other = new Checkout();
    other.linkPackages();
    const env = { TMPDIR: checkout.folder };
    await using running = start('other', other, env);
    const url = await ready(running);
    const { stdout, code } = await reset();
    expect(stdout).toMatch(
      /The stack "other" of another checkout keeps running; end it with: kill \d+\n/,
    );
    expect(code).toBe(0);
    expect((await fetch(url)).status).toBe(200);
    running.child.kill('SIGTERM');
    await running.ended;
  });

  it('should remove results and cookies, but no change of a source file', async () => {
    const results = join(checkout.root, 'loadtest/results');
    writeFileSync(join(results, 'failover.json'), '{}');
    writeFileSync(join(checkout.root, 'cookies'), '# Netscape HTTP Cookie File\n');
    appendFileSync(join(checkout.root, 'services/app/main.ts'), '// mine\n');
    const { stdout, code } = await reset();
    expect(readdirSync(results)).toEqual(['.gitignore']);
    expect(existsSync(join(checkout.root, 'cookies'))).toBe(false);
    expect(stdout).toContain('Removed loadtest/results/failover.json, cookies.\n');
    expect(stdout).toMatch(/Your changes stay: .*services\/app\/main\.ts/);
    expect(stdout).toContain('git stash --include-untracked');
    expect(code).toBe(0);
  });

  it('should reject arguments', async () => {
    await using running = checkout.run('reset.mjs', ['all']);
    expect(await running.ended).toMatchObject({ code: 2, stdout: '' });
  });

  describe.skipIf(missing)(`in Docker${missing ? ` (skipped: ${missing})` : ''}`, () => {
    const image = process.env.NODE_IMAGE ?? 'node:24-slim';
    const other = `${PROJECT}x`;
    const projects = [PROJECT, `${PROJECT}-lesson-05`, other];
    const left = (list: string[], format: string) =>
      docker([...list, '--filter', `name=${PROJECT}`, '--format', format]).trim();

    it('should remove the containers of the project and its lessons, and no others', async () => {
      for (const name of projects) {
        const label = ['--label', `com.docker.compose.project=${name}`];
        docker(['network', 'create', ...label, name]);
        docker(['volume', 'create', ...label, name]);
        const how = ['--network', name, '--volume', `${name}:/data`, '--name', name];
        docker(['create', ...how, ...label, image, 'true']);
      }
      try {
        const { stdout, code } = await reset();
        expect(stdout).toContain(
          'Removed 2 containers.\nRemoved 2 networks.\nRemoved 2 volumes.\n',
        );
        expect(code).toBe(0);
        expect(left(['ps', '--all'], '{{.Names}}')).toBe(other);
        expect(left(['network', 'ls'], '{{.Name}}')).toBe(other);
        expect(left(['volume', 'ls'], '{{.Name}}')).toBe(other);
      } finally {
        docker(['rm', '--force', other]);
        docker(['network', 'rm', other]);
        docker(['volume', 'rm', other]);
      }
    });
  });
});
