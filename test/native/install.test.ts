import { execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../../tools/lib/eventually.ts';
import { installPackages, missingPackages } from '../../tools/lib/packages.mjs';
import { isAlive } from '../../tools/lib/processes.mjs';
import { ROOT } from '../../tools/lib/root.mjs';
import { Running } from '../../tools/lib/running.ts';
import { Checkout } from '../support/checkout.ts';
import { newName, ready } from '../support/npm.ts';
import { oldNode } from '../support/old-node.ts';

/**
 * Stands in for npm: logs its arguments, and after each package waits as long as the file "hold"
 * exists.
 */
const NPM = `#!/bin/sh
echo "$*" >>"$PROJECT/npm.log"
hold() { while [ -e "$PROJECT/hold" ]; do sleep 0.02; done; }
if [ -e "$PROJECT/fail" ]; then echo 'npm error network no route to the registry' >&2; exit 1; fi
if [ "\${*#*--prefix}" = "$*" ]; then
  [ "$1" = install ] || rm -rf node_modules
  case $* in *--omit=dev*) names=a ;; *) names='a b' ;; esac
  for name in $names; do
    [ -e node_modules/$name/package.json ] && continue
    mkdir -p node_modules/$name
    echo '{}' >node_modules/$name/package.json
    hold
  done
  if [ "$names" = a ]; then
    echo '{"packages":{"node_modules/a":{"version":"1.0.0"}}}' >node_modules/.package-lock.json
  else
    cp package-lock.json node_modules/.package-lock.json
  fi
else
  while [ "$1" != --prefix ]; do shift; done
  for name; do case $name in *@24) break ;; esac; done
  mkdir -p "$2/node_modules/\${name%@*}/bin"
  hold
  printf '#!/bin/sh\\nNODE_OPTIONS= exec "%s" "$@"\\n' "$NODE" >"$2/node_modules/\${name%@*}/bin/node"
  chmod 755 "$2/node_modules/\${name%@*}/bin/node"
fi
echo 'added 2 packages in 1s'
`;

const LOCK = {
  packages: {
    '': {},
    'node_modules/a': { version: '1.0.0' },
    'node_modules/b': { version: '1.0.0', dev: true },
    'node_modules/c': { version: '1.0.0', optional: true },
  },
};

/** Prints what it was started with, and ends with the exit code 7. */
const HELLO = `
console.log(JSON.stringify({ args: process.argv.slice(2), path: process.env.PATH.split(':')[0] }));
process.exit(7);`;

/** Prints its pid, and ends at SIGTERM with the exit code 3. */
const WAIT = `
setInterval(() => {}, 1000);
process.on('SIGTERM', () => process.exit(3));
console.log('pid ' + process.pid);`;

describe('tools/run.mjs', () => {
  let project: string;
  let cache: string;
  let env: NodeJS.ProcessEnv;
  beforeEach(() => {
    project = realpathSync(mkdtempSync(join(tmpdir(), 'shared-state-run-')));
    cache = join(project, 'cache');
    for (const folder of ['bin', 'cache', 'tools/lib', 'workshop']) {
      mkdirSync(join(project, folder), { recursive: true });
    }
    for (const file of readdirSync(join(ROOT, 'tools/lib')).filter((name) => /mjs$/.test(name))) {
      cpSync(join(ROOT, 'tools/lib', file), join(project, 'tools/lib', file));
    }
    cpSync(join(ROOT, 'tools/run.mjs'), join(project, 'tools/run.mjs'));
    writeFileSync(join(project, 'bin/npm'), NPM, { mode: 0o755 });
    writeFileSync(join(project, 'package-lock.json'), JSON.stringify(LOCK));
    for (const folder of ['tools', 'workshop']) {
      writeFileSync(join(project, folder, 'hello.mjs'), HELLO);
    }
    writeFileSync(join(project, 'tools/wait.mjs'), WAIT);
    env = {
      PROJECT: project,
      NODE: process.execPath,
      PATH: `${project}/bin:${process.env.PATH}`,
      XDG_CACHE_HOME: cache,
    };
  });
  afterEach(() => rmSync(project, { recursive: true }));

  const run = (program: string, ...args: string[]) =>
    new Running(process.execPath, ['tools/run.mjs', program, ...args], env, project);
  const hello = async (program = 'tools/hello.mjs') => {
    await using running = run(program, 'one', '--two');
    return await running.ended;
  };
  const set = (name: string) => writeFileSync(join(project, name), '');
  const unset = (name: string) => rmSync(join(project, name), { force: true });
  /** The commands of npm so far, without its options. */
  const npmCommands = () =>
    existsSync(join(project, 'npm.log'))
      ? readFileSync(join(project, 'npm.log'), 'utf8').match(/^\S+/gm)
      : [];
  const npmIsInTheMiddle = () =>
    eventually(() => expect(existsSync(join(project, 'node_modules/a/package.json'))).toBe(true));
  const locks = () => readdirSync(project).filter((name) => name.includes('lock-'));

  it('should install the packages once, and pass on arguments and exit code', async () => {
    const first = await hello();
    expect(first).toMatchObject({ code: 7, stderr: 'Installing packages (once) …\n' });
    expect(JSON.parse(first.stdout)).toMatchObject({ args: ['one', '--two'] });
    expect(await hello()).toMatchObject({ code: 7, stderr: '' });
    expect(npmCommands()).toEqual(['ci']);
    expect(existsSync(join(project, 'node_modules.lock'))).toBe(false);
  });

  it('should install what participants need, and later add the packages for development', async () => {
    const { stderr } = await hello('workshop/hello.mjs');
    expect(stderr).toBe('Installing packages (once) …\n');
    expect(readdirSync(join(project, 'node_modules'))).not.toContain('b');
    expect(await hello('workshop/hello.mjs')).toMatchObject({ code: 7, stderr: '' });
    const added = await hello();
    expect(added.stderr).toBe('Installing packages for development (once) …\n');
    expect(await hello()).toMatchObject({ code: 7, stderr: '' });
    expect(await hello('workshop/hello.mjs')).toMatchObject({ code: 7, stderr: '' });
    expect(npmCommands()).toEqual(['ci', 'install']);
  });

  it('should install all again if npm was killed while it added packages', async () => {
    await hello('workshop/hello.mjs');
    set('hold');
    await using killed = run('tools/hello.mjs');
    await eventually(() => expect(existsSync(join(project, 'node_modules/b'))).toBe(true));
    process.kill(-(killed.child.pid ?? 0), 'SIGKILL'); // npm too
    await killed.ended;
    unset('hold');
    expect(await hello('workshop/hello.mjs')).toMatchObject({ code: 7, stderr: '' });
    expect(await hello()).toMatchObject({ code: 7, stderr: 'Installing packages (once) …\n' });
    expect(npmCommands()).toEqual(['ci', 'install', 'ci']);
  });

  it('should name WSL 2 and Docker Desktop on Windows, before anything else', async () => {
    const preload = join(project, 'windows.cjs');
    writeFileSync(preload, "Object.defineProperty(process, 'platform', { value: 'win32' });");
    env.NODE_OPTIONS = `--require ${preload}`;
    await using running = run('tools/hello.mjs');
    expect(await running.ended).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(
        /^This project does not run .* WSL 2: .* Docker Desktop: .*\n$/,
      ),
    });
    expect(npmCommands()).toEqual([]);
  });

  it('should install once for two first commands at the same time', async () => {
    set('hold');
    await using first = run('tools/hello.mjs');
    await npmIsInTheMiddle();
    await using second = run('tools/hello.mjs');
    await eventually(() => expect(second.stderr).toMatch(/^Waiting for process \d+/));
    unset('hold');
    expect(await first.ended).toMatchObject({ code: 7 });
    expect(await second.ended).toMatchObject({ code: 7 });
    expect(npmCommands()).toEqual(['ci']);
  });

  it('should install once for many first commands that find the lock of a dead one', async () => {
    mkdirSync(join(project, 'node_modules.lock'));
    writeFileSync(join(project, 'node_modules.lock/99999999'), '99999998');
    const all = Array.from({ length: 8 }, () => hello());
    for (const { code } of await Promise.all(all)) expect(code).toBe(7);
    expect(npmCommands()).toEqual(['ci']);
    expect(locks()).toEqual([]);
  });

  it('should install again after an install that was killed', async () => {
    set('hold');
    await using killed = run('tools/hello.mjs');
    await npmIsInTheMiddle();
    process.kill(-(killed.child.pid ?? 0), 'SIGKILL'); // npm too
    await killed.ended;
    unset('hold');
    expect(await hello()).toMatchObject({ code: 7, stderr: 'Installing packages (once) …\n' });
    expect(npmCommands()).toEqual(['ci', 'ci']);
  });

  it('should end npm if the command is ended, and install again', async () => {
    set('hold');
    await using ended = run('tools/hello.mjs');
    await npmIsInTheMiddle();
    ended.child.kill('SIGTERM');
    expect(await ended.ended).toMatchObject({ signal: 'SIGTERM', stdout: '' });
    unset('hold');
    expect(await hello()).toMatchObject({ code: 7 });
    expect(npmCommands()).toEqual(['ci', 'ci']);
  });

  it('should wait for npm if only the command that started it was killed', async () => {
    set('hold');
    await using killed = run('tools/hello.mjs');
    await npmIsInTheMiddle();
    killed.child.kill('SIGKILL');
    await using next = run('tools/hello.mjs');
    await eventually(() => expect(next.stderr).toMatch(/^Waiting for process \d+/));
    unset('hold');
    expect(await next.ended).toMatchObject({ code: 7 });
    expect(npmCommands()).toEqual(['ci']);
  });

  it('should not wait for a process that has the pid of a dead holder', async () => {
    const other = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60_000)', 'npm']);
    try {
      mkdirSync(join(project, 'node_modules.lock'));
      writeFileSync(join(project, 'node_modules.lock', String(other.pid)), '');
      expect(await hello()).toMatchObject({ code: 7 });
    } finally {
      other.kill();
    }
  });

  it.each([
    ['a package was deleted', () => rmSync(join(project, 'node_modules/a'), { recursive: true })],
    ['a package lost its files', () => rmSync(join(project, 'node_modules/b/package.json'))],
    [
      'package-lock.json has another version',
      () => {
        const packages = { ...LOCK.packages, 'node_modules/a': { version: '1.0.1' } };
        writeFileSync(join(project, 'package-lock.json'), JSON.stringify({ packages }));
      },
    ],
  ])('should install again if %s', async (_, change) => {
    await hello();
    change();
    expect(await hello()).toMatchObject({ code: 7, stderr: 'Installing packages (once) …\n' });
    expect(npmCommands()).toEqual(['ci', 'ci']);
  });

  it('should print the reason if npm fails, and work when it no longer does', async () => {
    set('fail');
    const { code, stderr } = await hello();
    expect(stderr).toContain('npm ci failed: no route to the registry\n');
    expect(code).toBe(1);
    unset('fail');
    expect(await hello()).toMatchObject({ code: 7 });
  });

  it('should need less than 50 ms of CPU time to check the packages of this checkout', async () => {
    const times = Array.from({ length: 5 }, () => {
      const before = process.threadCpuUsage();
      expect(missingPackages()).toBeUndefined();
      const { user, system } = process.threadCpuUsage(before); // microseconds
      return (user + system) / 1000;
    });
    expect(Math.min(...times)).toBeLessThan(50);
  });

  it('should end the program if npm, its parent, is killed', async () => {
    await hello();
    env.npm_lifecycle_event = 'start';
    const script = `'${process.execPath}' tools/run.mjs tools/wait.mjs; true`;
    await using npm = new Running('sh', ['-c', script], env, project);
    const pid = await pidOf(npm);
    npm.child.kill('SIGKILL');
    await eventually(() => expect(isAlive(pid)).toBe(false));
  });

  /** The pid that tools/wait.mjs prints. */
  const pidOf = (running: Running) =>
    eventually(() => {
      expect(running.stdout).toMatch(/^pid \d+$/m);
      return Number(running.stdout.replace(/^pid /, ''));
    });

  describe('on Node 20', () => {
    beforeEach(() => {
      Object.assign(env, oldNode(cache));
    });

    it('should print what to do if Node 24 cannot be downloaded', async () => {
      set('fail');
      const { code, stderr } = await hello();
      expect(stderr.split('\n').at(-2)).toBe(
        'This project needs Node 24 or later; this is Node 20.20.2. Install it from nodejs.org ' +
          'or your package manager, then run the command again.',
      );
      expect(code).toBe(1);
      expect(existsSync(join(project, 'node_modules'))).toBe(false);
    });

    it('should download Node 24 once, and run the program on it', async () => {
      const first = await hello();
      expect(first.code).toBe(7);
      const { args, path } = JSON.parse(first.stdout);
      expect(args).toEqual(['one', '--two']);
      expect(path).toMatch(/\/cache\/shared-state\/node-v\d+\.\d+\.\d+-[^/]+\/bin$/);
      expect(spawnSync(join(path, 'node'), ['--version']).status).toBe(0);
      expect(await hello()).toMatchObject({ code: 7, stderr: '' });
      expect(npmCommands()).toEqual(['install', 'ci']);
    });

    it('should download it once for two first commands at the same time', async () => {
      const both = await Promise.all([hello(), hello()]);
      expect(both.map(({ code }) => code)).toEqual([7, 7]);
      expect(npmCommands()).toEqual(['install', 'ci']);
      expect(readdirSync(join(cache, 'shared-state'))).toHaveLength(1);
    });

    it('should download it again after a download that was killed', async () => {
      set('hold');
      await using killed = run('tools/hello.mjs');
      await eventually(() => expect(npmCommands()).toEqual(['install']));
      process.kill(-(killed.child.pid ?? 0), 'SIGKILL');
      await killed.ended;
      unset('hold');
      expect(await hello()).toMatchObject({ code: 7 });
      expect(readdirSync(join(cache, 'shared-state'))).toHaveLength(1);
    });

    it('should pass on signals, and end as the program ends', async () => {
      await using waiting = run('tools/wait.mjs');
      await pidOf(waiting);
      waiting.child.kill('SIGTERM');
      expect((await waiting.ended).code).toBe(3);
      await using killed = run('tools/wait.mjs');
      process.kill(await pidOf(killed), 'SIGKILL');
      expect((await killed.ended).signal).toBe('SIGKILL');
    });

    it('should end the program if npm, its parent, is killed', async () => {
      await hello();
      env.npm_lifecycle_event = 'start';
      const script = `'${process.execPath}' tools/run.mjs tools/wait.mjs; true`;
      await using npm = new Running('sh', ['-c', script], env, project);
      const pid = await pidOf(npm);
      npm.child.kill('SIGKILL');
      await eventually(() => expect(isAlive(pid)).toBe(false));
    });
  });
});

describe('npm', () => {
  it('should leave the installed packages in place when it adds those for development', async () => {
    const root = realpathSync(mkdtempSync(join(tmpdir(), 'shared-state-packages-')));
    try {
      for (const name of ['a', 'b']) {
        mkdirSync(join(root, name, 'package'), { recursive: true });
        const manifest = JSON.stringify({ name, version: '1.0.0' });
        writeFileSync(join(root, name, 'package/package.json'), manifest);
        execFileSync('tar', ['-czf', `${name}.tgz`, '-C', name, 'package'], { cwd: root });
      }
      const manifest = { dependencies: { a: 'file:a.tgz' }, devDependencies: { b: 'file:b.tgz' } };
      writeFileSync(join(root, 'package.json'), JSON.stringify(manifest));
      execFileSync('npm', ['install', '--package-lock-only', '--offline'], { cwd: root });
      const lock = readFileSync(join(root, 'package-lock.json'), 'utf8');
      const marker = join(root, 'node_modules/a/marker');
      const install = (dev: boolean) => installPackages(() => {}, { root, dev });

      await install(false);
      expect(missingPackages(root, { dev: false })).toBeUndefined();
      expect(existsSync(join(root, 'node_modules/b'))).toBe(false);
      writeFileSync(marker, '');
      await install(true);
      expect(missingPackages(root)).toBeUndefined();
      expect(existsSync(marker)).toBe(true);
      expect(readFileSync(join(root, 'package-lock.json'), 'utf8')).toBe(lock);
      rmSync(join(root, 'node_modules/b/package.json'));
      await install(true); // installs all again
      expect(existsSync(marker)).toBe(false);
    } finally {
      rmSync(root, { recursive: true });
    }
  });
});

describe('npm start', () => {
  it('should run in a bare clone on Node 20, and lessons too, without packages for development', async () => {
    using checkout = new Checkout();
    const env = { ...oldNode(checkout.folder), npm_config_prefer_offline: 'true' };
    const name = newName();
    const words = ['start', '--', '--port', '0', '--scale', '1', '--name', name];
    await using running = checkout.start('npm', words, env);
    await eventually(() => expect(running.stdout).toContain('ready '), 150_000);
    const url = await ready(running);
    expect(await (await fetch(url)).text()).toBe('Views: 1');
    for (const program of [
      ['stack', '--', '--name', name, 'ps'],
      ['lesson', '--', '01'],
    ]) {
      await using other = checkout.start('npm', ['run', ...program], env);
      expect(await other.ended).toMatchObject({ code: 0, stderr: '' });
    }
    const installed = readdirSync(join(checkout.root, 'node_modules'));
    expect(installed).toContain('express');
    expect(installed).not.toContain('vitest');
    running.child.kill('SIGTERM');
    expect((await running.ended).code).toBe(0);
  }, 240_000);
});
