import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { type NetworkInterfaceInfo, networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lanAddress } from '../../tools/lib/network.mjs';
import { isNewEnough } from '../../tools/lib/node.mjs';
import { missingPackages } from '../../tools/lib/packages.mjs';
import { findProgram, findTools, howToInstall } from '../../tools/lib/programs.mjs';
import { ROOT } from '../../tools/lib/root.mjs';
import { type Ended, Running } from '../../tools/lib/running.ts';
import {
  checkAudience,
  checkDisk,
  checkMemory,
  checkSystem,
} from '../../tools/setup/check-machine.mjs';
import {
  checkDocker,
  checkImages,
  checkPackages,
  checkTools,
} from '../../tools/setup/check-programs.mjs';
import { judge } from '../../tools/setup/checks.mjs';
import { listImages } from '../../tools/setup/docker.mjs';
import { measureStack } from '../../tools/setup/measure.mjs';
import { readRequirements } from '../../tools/setup/requirements.mjs';
import { freePort } from '../../tools/stack/port.ts';
import { publicUrl } from '../../tools/stack/public-url.ts';
import { Stack } from '../../tools/stack/stack.ts';
import { docker, dockerMissing } from '../support/docker.ts';

const missing = dockerMissing();
const requirements = readRequirements();
const NO_DOCKER = { DOCKER_HOST: 'unix:///nowhere' };

async function preflight(
  args: string[],
  env: NodeJS.ProcessEnv,
  node = process.execPath,
): Promise<Ended> {
  const file = join(ROOT, 'tools/setup/preflight.mjs');
  await using running = new Running(node, [file, ...args], env);
  return await running.ended;
}

describe('npm run preflight', () => {
  let port: string;
  beforeEach(async () => {
    port = String(await freePort('127.0.0.1'));
  });

  it('should find this machine ready, on the Node of the system too', async () => {
    const node = findProgram('node') ?? process.execPath;
    const { stdout, code } = await preflight([], { HTTP_PORT: port, BIND: '127.0.0.1' }, node);
    expect(stdout).toContain(`✓ port: ${port} is free on 127.0.0.1\n`);
    const old =
      /^✓ Node: 2[0-3]\.\d+\.\d+, npm \d+\.\d+\.\d+ \(npm start uses Node 24\.\d+\.\d+\)$/m;
    const { stdout: version } = spawnSync(node, ['--version'], { encoding: 'utf8' });
    expect(stdout).toMatch(
      isNewEnough(version) ? /^✓ Node: \d+\.\d+\.\d+, npm \d+\.\d+\.\d+$/m : old,
    );
    expect(stdout).toMatch(/^✓ packages: installed$/m);
    expect(stdout).toMatch(/^✓ nginx: \d+\.\d+\.\d+$/m);
    expect(stdout).toMatch(/^✓ Redis: (Valkey )?\d+\.\d+\.\d+$/m);
    expect(stdout).toMatch(/^natively: ready$/m);
    expect(stdout).toMatch(new RegExp(`^natively +${requirements.native.memoryMB} MB`, 'm'));
    expect(stdout).toMatch(
      new RegExp(`^for npm test +${requirements.native.testDownloadMB} MB`, 'm'),
    );
    expect(code).toBe(0);
  });

  it('should be ready without Docker, and say how to start that', async () => {
    const { stdout, code } = await preflight([], { HTTP_PORT: port, ...NO_DOCKER });
    expect(stdout).toMatch(
      /^! Docker: (the Docker engine does not answer|Docker is not installed)\n {4}\S/m,
    );
    expect(stdout).toMatch(/^natively: ready\nin containers: not ready, see Docker$/m);
    expect(code).toBe(0);
  });

  it('should name the program that uses the port, and a way out', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port: taken } = server.address() as AddressInfo;
    try {
      const { stdout, code } = await preflight([], { HTTP_PORT: String(taken), BIND: '127.0.0.1' });
      expect(stdout).toMatch(new RegExp(`^✗ port: ${taken} is in use`, 'm'));
      expect(stdout).toContain(
        '\n    npm start -- --port 8081  or  HTTP_PORT=8081 docker compose up\n',
      );
      expect(stdout).toMatch(/^natively: not ready, see port$/m);
      if (findProgram('ss') ?? findProgram('lsof'))
        expect(stdout).toContain(`pid ${process.pid}\n`);
      expect(code).toBe(1);
    } finally {
      server.close();
    }
  });

  it('should see a program at the other address of localhost', async () => {
    const server = createServer().listen(0, '::1');
    await once(server, 'listening');
    const { port: taken } = server.address() as AddressInfo;
    const { stdout, code } = await preflight([], { HTTP_PORT: String(taken), BIND: '127.0.0.1' });
    server.close();
    expect(stdout).toContain(
      `✗ port: ${taken} is in use on ::1, where a browser looks for localhost`,
    );
    expect(code).toBe(1);
  });

  it('should recognize a stack of this project by its port', async () => {
    await using stack = await Stack.start({ scale: 1 });
    const env = { HTTP_PORT: String(stack.nginx.port), BIND: '127.0.0.1', ...NO_DOCKER };
    const { stdout, code } = await preflight(['--json'], env);
    const { checks, works } = JSON.parse(stdout);
    expect(checks.find(({ name }: { name: string }) => name === 'port')).toEqual({
      name: 'port',
      state: 'warning',
      found: expect.stringMatching(
        /^\d+ is in use on 127\.0\.0\.1 by the stack "[0-9a-f]{8}" of this project$/,
      ),
      fix: `to end it: kill ${process.pid}`,
    });
    expect(works).toBe(true);
    expect(code).toBe(0);
  });

  it.each([
    [{ HTTP_PORT: 'many' }, 'HTTP_PORT="many" is not a port'],
    [{ BIND: '203.0.113.1' }, 'BIND=203.0.113.1 is not an address of this machine'],
    [{ BIND: 'local\u001bhost' }, 'BIND="local\\u001bhost" is not an IP address'],
  ])('should reject %j', async (env, found) => {
    const { stdout, code } = await preflight([], { HTTP_PORT: port, ...NO_DOCKER, ...env });
    expect(stdout).toContain(`✗ port: ${found}\n`);
    expect(code).toBe(1);
  });

  it('should reject unknown options', async () => {
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
    'should print the same command as npm start on a machine with %s',
    (manager) => {
      provide(manager, '');
      const command = howToInstall('stack', [folder]);
      expect(() => findTools(() => {}, true, [folder])).toThrow(`To install them:  ${command}`);
    },
  );

  it('should print how to install a missing nginx', () => {
    provide('brew', '');
    provide('valkey-server', 'echo "Valkey server v=8.1.3 sha=00000000"');
    const [nginx, redis] = checkTools([folder]);
    expect(nginx).toEqual({
      name: 'nginx',
      found: 'missing',
      fix: 'brew install redis nginx',
      blocks: ['natively'],
    });
    expect(redis).toEqual({ name: 'Redis', found: 'Valkey 8.1.3' });
  });

  it('should warn of an older nginx than the tested ones, and of a Redis that does not run', () => {
    provide('nginx', 'echo "nginx version: nginx/1.18.0" >&2');
    provide('redis-server', 'echo "cannot execute" >&2; exit 126');
    const [nginx, redis] = checkTools([folder]);
    expect(nginx).toMatchObject({ found: '1.18.0; the oldest tested version is 1.22' });
    expect(nginx).not.toHaveProperty('blocks');
    expect(redis).toMatchObject({
      blocks: ['natively'],
      found: expect.stringContaining('cannot execute'),
    });
  });

  it('should report errors only if the stack runs in no way', () => {
    const nginx = {
      name: 'nginx',
      found: 'missing',
      fix: 'install it',
      blocks: ['natively' as const],
    };
    const noDocker = checkDocker({ missing: 'Docker is not installed', fix: 'install it' });
    const withDocker = checkDocker({
      engine: '29.0.0',
      platform: 'linux/amd64',
      compose: '2.40.3',
    });
    const states = (...findings: Parameters<typeof judge>[0]) =>
      judge(findings).checks.map(({ state }) => state);
    expect(states(nginx, withDocker)).toEqual(['warning', 'ok']);
    expect(states(noDocker)).toEqual(['warning']);
    expect(states(nginx, noDocker)).toEqual(['error', 'error']);
    expect(judge([nginx, noDocker]).works).toBe(false);
  });

  it('should see packages that are missing, or different from package-lock.json', () => {
    expect(missingPackages(folder)).toBe('not installed');
    mkdirSync(join(folder, 'node_modules'));
    const lock = (version: string) =>
      JSON.stringify({ packages: { '': {}, 'node_modules/a': { version } } });
    writeFileSync(join(folder, 'package-lock.json'), lock('1.0.1'));
    writeFileSync(join(folder, 'node_modules/.package-lock.json'), lock('1.0.0'));
    expect(missingPackages(folder)).toBe('different from package-lock.json');
    writeFileSync(join(folder, 'node_modules/.package-lock.json'), lock('1.0.1'));
    expect(missingPackages(folder)).toBe('incomplete: node_modules/a is missing');
    mkdirSync(join(folder, 'node_modules/a'));
    writeFileSync(join(folder, 'node_modules/a/package.json'), '{}');
    expect(missingPackages(folder)).toBeUndefined();
  });

  it('should see that the packages for development are missing, and who needs them', () => {
    const { downloadMB, testDownloadMB } = requirements.native;
    expect(testDownloadMB).toBeGreaterThan(2 * downloadMB);
    expect(checkPackages(requirements, 'not installed', 'not installed')).toMatchObject({
      found: `not installed; ${downloadMB} MB to download`,
    });
    expect(checkPackages(requirements, undefined, 'different')).toEqual({
      name: 'packages',
      found: `installed; npm test downloads ${testDownloadMB - downloadMB} MB more`,
    });
  });

  it('should see too little memory and a full disk', () => {
    const required = Math.max(requirements.native.memoryMB, requirements.containers.memoryMB);
    expect(checkMemory(requirements, 99e6).found).toBe(`99 MB free, ${required} MB required`);
    expect(checkMemory(requirements, required * 1e6)).not.toHaveProperty('fix');
    const fresh = { packages: true, images: false };
    const [disk] = checkDisk(requirements, fresh, () => (requirements.native.diskMB - 1) * 1e6);
    expect(disk).toMatchObject({ blocks: ['natively'] });
    const [enough] = checkDisk(requirements, fresh, () => requirements.native.diskMB * 1e6);
    expect(enough).not.toHaveProperty('fix');
  });

  it('should send Windows to WSL or Docker Desktop', () => {
    expect(checkSystem('win32')).toMatchObject({
      blocks: ['natively'],
      fix: expect.stringMatching(/wsl --install.*Docker Desktop/),
    });
  });

  describe('the audience', () => {
    const at = (address: string): NetworkInterfaceInfo[] => [
      { address, family: 'IPv4', internal: false, netmask: '', mac: '', cidr: null },
    ];

    it('should reach the address that npm start prints', () => {
      const url = publicUrl('http', '0.0.0.0', 8080);
      const { found } = checkAudience({}, networkInterfaces(), false);
      expect(found).toContain(url ?? 'no network');
    });

    it('should not be necessary for a stack on this machine', () => {
      expect(checkAudience({}, {}, false)).toMatchObject({
        fix: expect.stringContaining('hotspot'),
      });
      const { found } = checkAudience({}, { docker0: at('172.17.0.1') }, false);
      expect(found).toMatch(/^no network: the stack works, but only on this machine/);
    });

    it("should not be in Docker's network", () => {
      const networks = { docker0: at('172.17.0.1'), wlan0: at('192.168.1.5') };
      const { found } = checkAudience({}, networks, false);
      expect(found).toBe('http://192.168.1.5:8080  (BIND=0.0.0.0 npm start)');
      expect(lanAddress(networks)).toBe('192.168.1.5');
      expect(lanAddress({ docker0: at('172.17.0.1') })).toBeUndefined();
    });

    it('should not be in the inner network of WSL', () => {
      const { fix } = checkAudience({}, { eth0: at('172.28.1.2') }, true);
      expect(fix).toContain('networkingMode=mirrored');
    });
  });

  describe.skipIf(missing)(`Docker${missing ? ` (skipped: ${missing})` : ''}`, () => {
    it('should need the images of Compose, and name the missing ones', () => {
      const images = listImages();
      const ofCompose = docker(['compose', 'config', '--images'], {}).trim().split('\n');
      expect(images.map(({ name }) => name).sort()).toEqual(ofCompose.sort());
      const absent = [{ service: 'nginx', name: 'missing/image:1' }];
      expect(checkImages(requirements, images, absent)).toMatchObject({
        found: `missing: missing/image:1; up to ${requirements.containers.downloadMB} MB to download`,
        downloads: ['in containers'],
      });
    });
  });
});

describe('requirements.json', () => {
  it('should agree with a measurement of today', async () => {
    const now = await measureStack();
    expect(now.memoryMB / requirements.native.memoryMB).toBeGreaterThan(0.5);
    expect(now.memoryMB / requirements.native.memoryMB).toBeLessThan(2);
    expect(now.runDiskMB).toBeLessThan(2 * requirements.native.runDiskMB);
  });

  it('should have all figures', () => {
    const { native, containers, pack, lessonSeconds } = requirements;
    const { measured, ...figures } = { ...native, ...containers, ...pack, ...lessonSeconds };
    expect(measured.machine).toMatch(/cores/);
    for (const figure of Object.values(figures)) {
      if (typeof figure === 'number') expect(figure).toBeGreaterThan(0);
      else expect(figure.length).toBeGreaterThan(0);
    }
  });
});
