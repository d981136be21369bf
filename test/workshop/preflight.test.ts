import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { type NetworkInterfaceInfo, networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ROOT } from '../../tools/lib/root.ts';
import { type Ended, Running } from '../../tools/lib/running.ts';
import {
  checkDisk,
  checkMemory,
  checkRoom,
  checkSystem,
} from '../../tools/setup/check-machine.mjs';
import { checkDocker, checkImages, checkTools } from '../../tools/setup/check-programs.mjs';
import { judge } from '../../tools/setup/checks.mjs';
import { imagesWanted } from '../../tools/setup/docker.mjs';
import { measureNative } from '../../tools/setup/measure.mjs';
import { readNeeds } from '../../tools/setup/needs.mjs';
import { installedPackages } from '../../tools/setup/packages.mjs';
import { findProgram, howToInstall } from '../../tools/setup/programs.mjs';
import { freePort } from '../../tools/stack/port.ts';
import { lanAddress, publicUrl } from '../../tools/stack/public-url.ts';
import { Stack } from '../../tools/stack/stack.ts';
import { findTools } from '../../tools/stack/tools.ts';
import { docker, dockerMissing } from '../support/docker.ts';

const missing = dockerMissing();
const needs = readNeeds();
const NO_DOCKER = { DOCKER_HOST: 'unix:///nowhere' };

async function preflight(
  words: string[],
  env: NodeJS.ProcessEnv,
  node = process.execPath,
): Promise<Ended> {
  const file = join(ROOT, 'tools/setup/preflight.mjs');
  await using running = new Running(node, [file, ...words], env);
  return await running.ended;
}

describe('npm run preflight', () => {
  let port: string;
  beforeEach(async () => {
    port = String(await freePort('127.0.0.1'));
  });

  it('should find this machine ready, on the Node of the system too', async () => {
    const node = findProgram('node') ?? process.execPath;
    const { stdout, code } = await preflight([], { PORT: port, BIND: '127.0.0.1' }, node);
    expect(stdout).toContain(`✓ port: ${port} is free on 127.0.0.1\n`);
    expect(stdout).toMatch(
      /^✓ Node: \d+\.\d+\.\d+, npm \d+\.\d+\.\d+ \(the packages bring Node 24/m,
    );
    expect(stdout).toMatch(/^✓ packages: installed$/m);
    expect(stdout).toMatch(/^✓ nginx: \d+\.\d+\.\d+$/m);
    expect(stdout).toMatch(/^✓ Redis: (Valkey )?\d+\.\d+\.\d+$/m);
    expect(stdout).toMatch(/^natively: ready$/m);
    expect(stdout).toMatch(new RegExp(`^natively +${needs.native.memoryMB} MB`, 'm'));
    expect(code).toBe(0);
  });

  it('should be ready without Docker, and say how to start that', async () => {
    const { stdout, code } = await preflight([], { PORT: port, ...NO_DOCKER });
    expect(stdout).toMatch(/^! Docker: (its engine does not answer|no docker here)\n {4}\S/m);
    expect(stdout).toMatch(/^natively: ready\nin containers: not ready, see Docker$/m);
    expect(code).toBe(0);
  });

  it('should say who has the port, and what to do then', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port: taken } = server.address() as AddressInfo;
    try {
      const { stdout, code } = await preflight([], { PORT: String(taken), BIND: '127.0.0.1' });
      expect(stdout).toMatch(new RegExp(`^✗ port: ${taken} is taken`, 'm'));
      expect(stdout).toContain('\n    npm start -- --port 8081  or  PORT=8081 docker compose up\n');
      expect(stdout).toMatch(/^natively: not ready, see port$/m);
      if (findProgram('ss') ?? findProgram('lsof'))
        expect(stdout).toContain(`pid ${process.pid}\n`);
      expect(code).toBe(1);
    } finally {
      server.close();
    }
  });

  it('should know a stack of this project by its port', async () => {
    await using stack = await Stack.start({ scale: 1 });
    const env = { PORT: String(stack.nginx.port), BIND: '127.0.0.1', ...NO_DOCKER };
    const { stdout, code } = await preflight(['--json'], env);
    const { checks, works } = JSON.parse(stdout);
    expect(checks.find(({ name }: { name: string }) => name === 'port')).toEqual({
      name: 'port',
      state: 'lacking',
      found: expect.stringMatching(/^\d+: the stack "[0-9a-f]{8}" is running, of this project$/),
      mend: `kill ${process.pid}  ends it`,
    });
    expect(works).toBe(true);
    expect(code).toBe(0);
  });

  it.each([
    [{ PORT: 'many' }, 'PORT=many is no port'],
    [{ BIND: '203.0.113.1' }, 'BIND=203.0.113.1 is no address here'],
  ])('should refuse %j', async (env, found) => {
    const { stdout, code } = await preflight([], { PORT: port, ...NO_DOCKER, ...env });
    expect(stdout).toContain(`✗ port: ${found}\n`);
    expect(code).toBe(1);
  });

  it('should refuse words that mean nothing', async () => {
    expect(await preflight(['--jsn'], {})).toMatchObject({ code: 2, stdout: '' });
  });
});

describe('the checks', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'shared-state-preflight-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  function provide(name: string, script: string): void {
    writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(folder, name), 0o755);
  }

  it.each(['dnf', 'apk', 'brew'])(
    'should say the same as npm start where there is %s',
    (manager) => {
      provide(manager, '');
      const command = howToInstall('stack', [folder]);
      expect(() => findTools(() => {}, true, [folder])).toThrow(`To install them:  ${command}`);
    },
  );

  it('should say what installs nginx where it is missing', () => {
    provide('brew', '');
    provide('valkey-server', 'echo "Valkey server v=8.1.3 sha=00000000"');
    const [nginx, redis] = checkTools([folder]);
    expect(nginx).toEqual({
      name: 'nginx',
      found: 'missing',
      mend: 'brew install redis nginx',
      stops: ['natively'],
    });
    expect(redis).toEqual({ name: 'Redis', found: 'Valkey 8.1.3' });
  });

  it('should say what is older than what is tested, and what does not run', () => {
    provide('nginx', 'echo "nginx version: nginx/1.18.0" >&2');
    provide('redis-server', 'echo "cannot execute" >&2; exit 126');
    const [nginx, redis] = checkTools([folder]);
    expect(nginx).toMatchObject({ found: '1.18.0; tested from 1.22 on' });
    expect(nginx).not.toHaveProperty('stops');
    expect(redis).toMatchObject({
      stops: ['natively'],
      found: expect.stringContaining('cannot execute'),
    });
  });

  it('should call broken only what leaves no way', () => {
    const nginx = {
      name: 'nginx',
      found: 'missing',
      mend: 'install it',
      stops: ['natively' as const],
    };
    const noDocker = checkDocker({ missing: 'no docker here', mend: 'install it' });
    const withDocker = checkDocker({
      engine: '29.0.0',
      platform: 'linux/amd64',
      compose: '2.40.3',
    });
    const states = (...findings: Parameters<typeof judge>[0]) =>
      judge(findings).checks.map(({ state }) => state);
    expect(states(nginx, withDocker)).toEqual(['lacking', 'well']);
    expect(states(noDocker)).toEqual(['lacking']);
    expect(states(nginx, noDocker)).toEqual(['broken', 'broken']);
    expect(judge([nginx, noDocker]).works).toBe(false);
  });

  it('should see packages that are missing, or older than the lock file', () => {
    expect(installedPackages(folder)).toEqual({ missing: 'not installed' });
    mkdirSync(join(folder, 'node_modules'));
    writeFileSync(join(folder, 'package-lock.json'), '{}');
    writeFileSync(join(folder, 'node_modules/.package-lock.json'), '{}');
    utimesSync(join(folder, 'node_modules/.package-lock.json'), 1, 1);
    expect(installedPackages(folder)).toEqual({ missing: 'older than the lock file' });
  });

  it('should see too little memory and a full disk', () => {
    const wanted = Math.max(needs.native.memoryMB, needs.containers.memoryMB);
    expect(checkMemory(needs, 99e6).found).toBe(`99 MB free, ${wanted} MB wanted`);
    expect(checkMemory(needs, wanted * 1e6)).not.toHaveProperty('mend');
    const fresh = { natively: true, inContainers: false };
    const [disk] = checkDisk(needs, fresh, () => (needs.native.diskMB - 1) * 1e6);
    expect(disk).toMatchObject({ stops: ['natively'] });
    const [enough] = checkDisk(needs, fresh, () => needs.native.diskMB * 1e6);
    expect(enough).not.toHaveProperty('mend');
  });

  it('should send Windows to WSL or Docker Desktop', () => {
    expect(checkSystem('win32')).toMatchObject({
      stops: ['natively'],
      mend: expect.stringMatching(/wsl --install.*Docker Desktop/),
    });
  });

  describe('the room', () => {
    const at = (address: string): NetworkInterfaceInfo[] => [
      { address, family: 'IPv4', internal: false, netmask: '', mac: '', cidr: null },
    ];

    it('should have the address that npm start says', () => {
      const url = publicUrl('0.0.0.0', 8080);
      const { found } = checkRoom({}, networkInterfaces(), false);
      expect(found).toContain(url ?? 'no network');
    });

    it('should do without a network', () => {
      expect(checkRoom({}, {}, false)).toMatchObject({ mend: expect.stringContaining('hotspot') });
      const { found } = checkRoom({}, { docker0: at('172.17.0.1') }, false);
      expect(found).toMatch(/^no network: on this machine everything works/);
    });

    it("should not take Docker's network for the room's", () => {
      const networks = { docker0: at('172.17.0.1'), wlan0: at('192.168.1.5') };
      const { found } = checkRoom({}, networks, false);
      expect(found).toBe('http://192.168.1.5:8080  (BIND=0.0.0.0 npm start)');
      expect(lanAddress(networks)).toBe('192.168.1.5');
      expect(lanAddress({ docker0: at('172.17.0.1') })).toBeUndefined();
    });

    it('should warn of the inner network of WSL', () => {
      const { mend } = checkRoom({}, { eth0: at('172.28.1.2') }, true);
      expect(mend).toContain('networkingMode=mirrored');
    });
  });

  describe.skipIf(missing)(`Docker${missing ? ` (skipped: ${missing})` : ''}`, () => {
    it('should want the images that Compose wants, and say which are not there', () => {
      const images = imagesWanted();
      const ofCompose = docker(['compose', 'config', '--images'], {}).trim().split('\n');
      expect(images.map(({ name }) => name).sort()).toEqual(ofCompose.sort());
      const absent = [{ service: 'nginx', name: 'nobody/has:this' }];
      expect(checkImages(needs, images, absent)).toMatchObject({
        found: `to be downloaded: nobody/has:this; up to ${needs.containers.downloadMB} MB`,
        waits: ['in containers'],
      });
    });
  });
});

describe('needs.json', () => {
  it('should agree with what a stack takes now', async () => {
    const now = await measureNative();
    expect(now.memoryMB / needs.native.memoryMB).toBeGreaterThan(0.5);
    expect(now.memoryMB / needs.native.memoryMB).toBeLessThan(2);
    expect(now.runDiskMB).toBeLessThan(2 * needs.native.runDiskMB);
  });

  it('should have no figure that is missing', () => {
    const figures = Object.values({ ...needs.native, ...needs.containers, ...needs.pack });
    for (const figure of figures) {
      if (typeof figure === 'number') expect(figure).toBeGreaterThan(0);
      else expect(figure.length).toBeGreaterThan(0);
    }
  });
});
