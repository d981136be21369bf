import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../tools/lib/eventually.ts';
import { packagesFor, readLock, THIS_PLATFORM } from '../../tools/lib/packages.mjs';
import { ROOT } from '../../tools/lib/root.mjs';
import { type Ended, Running } from '../../tools/lib/running.ts';
import { Checkout } from '../support/checkout.ts';
import { docker, dockerMissing } from '../support/docker.ts';
import { newName, ready } from '../support/npm.ts';
import { oldNode } from '../support/old-node.ts';

const missing = dockerMissing();
const PROJECT = `shared-state-test-${randomBytes(4).toString('hex')}`;
const NO_DOCKER = { DOCKER_HOST: 'unix:///nowhere' };
/** No server listens there. */
const NO_REGISTRY = { npm_config_registry: 'http://127.0.0.1:9', npm_config_fetch_retries: '0' };
/** Runs a program without a network, if this user may. */
const ALONE = ['unshare', '--net'];
const canBeAlone = spawnSync('unshare', ['--net', 'true']).status === 0;

describe('npm run offline', () => {
  let checkout: Checkout;
  let folder: string;
  let file: string;
  let packed: Ended;

  /** Tiny images with names of their own. */
  const images = [`${PROJECT}-app`, `${PROJECT}-dashboard`, `${PROJECT}-nginx`, `${PROJECT}-redis`];
  const withImages = {
    COMPOSE_PROJECT_NAME: PROJECT,
    NGINX_IMAGE: `${PROJECT}-nginx`,
    REDIS_IMAGE: `${PROJECT}-redis`,
  };
  const imagesHere = () =>
    docker(['image', 'ls', '--filter', `reference=${PROJECT}-*`, '--format', '{{.Repository}}'])
      .split('\n')
      .filter(Boolean)
      .sort();

  const offline = async (args: string[], env: NodeJS.ProcessEnv = NO_DOCKER) => {
    await using running = checkout.run('offline.mjs', args, env);
    return await running.ended;
  };

  beforeAll(async () => {
    checkout = new Checkout();
    folder = mkdtempSync(join(tmpdir(), 'shared-state-offline-test-'));
    file = join(folder, 'pack.tar');
    writeFileSync(join(checkout.root, 'services/app/Dockerfile'), 'FROM scratch\nCOPY . /\n');
    checkout.commit();
    if (!missing) {
      for (const image of images.slice(2)) {
        execFileSync('docker', ['import', '-', image], { input: Buffer.alloc(1024) });
      }
    }
    packed = await offline(
      ['pack', file, '--for', THIS_PLATFORM],
      missing ? NO_DOCKER : withImages,
    );
  }, 300_000);
  afterAll(() => {
    if (!missing) docker(['image', 'rm', ...imagesHere()]);
    checkout[Symbol.dispose]();
    rmSync(folder, { recursive: true });
  });

  it('should pack what is installed here of the whole lock file', () => {
    const path = join(ROOT, 'node_modules/.package-lock.json');
    const { packages } = JSON.parse(readFileSync(path, 'utf8')) as ReturnType<typeof readLock>;
    const installed = Object.entries(packages).map(
      ([at, { name, version }]) => `${name ?? at.split('node_modules/').at(-1)}@${version}`,
    );
    const inPack = new Set(packagesFor(readLock(), [THIS_PLATFORM]));
    expect(installed.filter((its) => !inPack.has(its))).toEqual([]);
    expect(installed.length).toBeGreaterThan(300);
    const forMac = packagesFor(readLock(), ['darwin-arm64']);
    expect(forMac.filter((its) => its.includes('linux'))).toEqual([]);
  });

  it('should make one file and leave nothing else', () => {
    expect(packed).toMatchObject({ code: 0, stderr: '' });
    expect(packed.stdout).toMatch(/^source: commit [0-9a-f]{7,}\nnpm packages: \d+, for /);
    const size = Math.ceil(statSync(file).size / 1e6);
    expect(packed.stdout).toMatch(new RegExp(`^${file}: ${size} MB$`, 'm'));
    expect(readdirSync(folder)).toEqual(['pack.tar']);
  });

  it('should install from it without a network on Node 20, and run then', async () => {
    const away = mkdtempSync(join(folder, 'away-'));
    execFileSync('tar', ['-xf', file, '-C', away, 'shared-state']);
    const root = join(away, 'shared-state');
    const program = [process.execPath, join(root, 'tools/setup/offline.mjs'), 'unpack', file];
    const [first = '', ...rest] = canBeAlone ? [...ALONE, ...program] : program;
    if (!missing) docker(['image', 'rm', ...images]);
    const offlineEnv = { ...NO_REGISTRY, TMPDIR: away, ...oldNode(away) };
    const env = { ...offlineEnv, ...(missing ? NO_DOCKER : withImages) };
    await using unpacking = new Running(first, rest, env, root);
    const { stdout, stderr, code } = await unpacking.ended;
    expect({ stderr, code }).toEqual({ stderr: '', code: 0 });
    expect(stdout).toMatch(/^npm packages: added \d+ packages in \d+m?s?$/m);
    expect(stdout).toMatch(/^Node: 24\.\d+\.\d+$/m);
    expect(stdout).toMatch(/^natively: install nginx and Redis with the package manager/m);
    expect(readdirSync(away).filter((name) => name.includes('-offline-'))).toEqual([]);
    if (!missing) {
      expect(imagesHere()).toEqual(images);
      expect(stdout).toContain(
        `NGINX_IMAGE=${PROJECT}-nginx REDIS_IMAGE=${PROJECT}-redis docker compose up\n`,
      );
      expect(stdout).toContain('Without a network you cannot build the images again');
    }

    const words = ['start', '--', '--port', '0', '--name', newName()];
    await using running = new Running('npm', words, offlineEnv, root);
    const url = await ready(running);
    expect(await (await fetch(url)).text()).toBe('Views: 1');
    running.child.kill('SIGTERM');
    await running.ended;
    // The second time, everything is installed already.
    const again = new Running(program[0] ?? '', program.slice(1), { ...env, ...NO_DOCKER }, root);
    expect((await again.ended).stdout).toContain('npm packages: installed already\n');
  }, 300_000);

  it('should report a missing file, and how to make one', async () => {
    const { stderr, code } = await offline(['unpack', join(folder, 'none.tar')]);
    expect(stderr).toBe(
      `${join(folder, 'none.tar')} does not exist; make it with: npm run offline -- pack FILE\n`,
    );
    expect(code).toBe(1);
  });

  it.each([1000, 0.6, 0.999])('should detect a truncated file (%d)', async (kept) => {
    const cut = join(folder, 'cut.tar');
    cpSync(file, cut);
    truncateSync(cut, kept < 1 ? Math.floor((statSync(file).size * kept) / 512) * 512 : kept);
    const { stderr, code } = await offline(['unpack', cut]);
    expect(stderr).toMatch(/^\S+ is truncated \(\d+ MB\) or not made by pack; copy it again\n$/);
    expect(code).toBe(1);
    rmSync(cut);
    expect(existsSync(join(checkout.root, 'node_modules'))).toBe(false);
  });

  /** Makes a file with the last entry of a pack only. */
  function fake(change: object): string {
    const contents = execFileSync('tar', ['-xOf', file, 'pack.json'], {
      maxBuffer: 2 ** 26,
      encoding: 'utf8',
    });
    const at = mkdtempSync(join(folder, 'fake-'));
    const changed = { ...JSON.parse(contents), ...change };
    writeFileSync(join(at, 'pack.json'), JSON.stringify(changed));
    execFileSync('tar', ['-cf', join(at, 'fake.tar'), '-C', at, 'pack.json']);
    return join(at, 'fake.tar');
  }

  it.skipIf(missing)(
    'should pack what it can, and say how to get the rest',
    async () => {
      const at = mkdtempSync(join(folder, 'part-'));
      const words = ['pack', join(at, 'pack.tar'), '--for', THIS_PLATFORM];
      const image = '127.0.0.1:9/missing:1'; // no server listens there
      const { stdout, code } = await offline(words, { ...withImages, REDIS_IMAGE: image });
      expect(stdout).toMatch(/^images: without 127\.0\.0\.1:9\/missing:1: docker pull failed: /m);
      expect(stdout).toContain(`; to add it: docker pull ${image}, then pack again\n`);
      expect(code).toBe(0);
      const contents = execFileSync('tar', ['-xOf', join(at, 'pack.tar'), 'pack.json']);
      expect(JSON.parse(contents.toString()).images).toMatchObject({
        names: [`${PROJECT}-nginx`, `${PROJECT}-app`, `${PROJECT}-dashboard`],
        absent: [`docker pull ${image}`],
      });
    },
    120_000,
  );

  it('should reject a file that was made from another package-lock.json', async () => {
    const other = fake({ lock: { packages: {} }, commit: 'abc1234', made: '2026-01-31' });
    const { stderr, code } = await offline(['unpack', other]);
    expect(stderr).toBe(
      `${other} was made on 2026-01-31 of commit abc1234, with another package-lock.json: ` +
        'git checkout abc1234  or  npm run offline -- pack FILE\n',
    );
    expect(code).toBe(1);
  });

  it('should name the platforms of the file, and how to add this one', async () => {
    const other = fake({ platforms: ['darwin-arm64'] });
    const { stderr, code } = await offline(['unpack', other]);
    expect(stderr).toBe(
      `${other} has packages for darwin-arm64, not for ${THIS_PLATFORM}: ` +
        `pack it with --for darwin-arm64,${THIS_PLATFORM}\n`,
    );
    expect(code).toBe(1);
  });

  it('should leave nothing behind at Ctrl-C', async () => {
    const at = mkdtempSync(join(folder, 'broken-off-'));
    const words = ['pack', join(at, 'pack.tar'), '--for', THIS_PLATFORM];
    await using running = checkout.run('offline.mjs', words, NO_DOCKER);
    await eventually(() => expect(running.stdout).toContain('npm packages: '), 30_000);
    expect(readdirSync(at)).toHaveLength(1);
    running.child.kill('SIGINT');
    expect((await running.ended).code).toBe(130);
    expect(readdirSync(at)).toEqual([]);
  });

  it('should leave nothing behind if no registry answers', async () => {
    const at = mkdtempSync(join(folder, 'no-registry-'));
    const words = ['pack', join(at, 'pack.tar'), '--for', THIS_PLATFORM];
    const { stderr, code } = await offline(words, { ...NO_DOCKER, ...NO_REGISTRY });
    expect(stderr).toMatch(/^npm cache add failed: .*127\.0\.0\.1:9.*\n$/);
    expect(code).toBe(1);
    expect(readdirSync(at)).toEqual([]);
  });

  it.each([
    [[], 'The command is either `pack` or `unpack`.'],
    [['pack'], '`pack` expects the name of a file.'],
    [
      ['pack', 'a.tar', '--for', 'amiga-68k'],
      '`--for` expects linux-x64, linux-arm64, darwin-x64, darwin-arm64, not amiga-68k.',
    ],
    [['unpack', 'a', 'b'], 'Too many arguments: b'],
  ])('should reject %j', async (args, reason) => {
    const { stderr, code } = await offline(args);
    expect(stderr).toContain(reason);
    expect(code).toBe(2);
  });

  it('should not create the folder of the file', async () => {
    const { stderr, code } = await offline(['pack', join(folder, 'no/pack.tar')]);
    expect({ stderr, code }).toEqual({
      stderr: `There is no folder ${join(folder, 'no')}\n`,
      code: 1,
    });
  });
});
