import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../tools/lib/eventually.ts';
import { findTools } from '../../tools/lib/programs.mjs';
import { type Running, runInstance } from '../../tools/lib/running.ts';
import { send, Visitor } from '../../tools/lib/visitor.ts';
import type { StackContext } from '../../tools/stack/managed-process.ts';
import { freePort, freePorts } from '../../tools/stack/port.ts';
import { newPassword, Redis } from '../../tools/stack/redis.ts';
import { Watchdog } from '../../tools/stack/watchdog.ts';
import { type Certificates, makeCertificates, opensslMissing } from '../support/certificates.ts';

const missing = opensslMissing();

it.runIf(process.env.REQUIRE_OPENSSL === '1')('should be there, since REQUIRE_OPENSSL=1', () => {
  expect(missing).toBeUndefined();
});

describe.skipIf(missing)(`Redis with TLS${missing ? ` (skipped: ${missing})` : ''}`, () => {
  const password = newPassword();
  let context: StackContext;
  let ca: string;
  let redis: Redis;
  let sentinel: Redis;
  let node: Redis;
  let urls: { single: string; sentinel: string; cluster: string };

  beforeAll(async () => {
    const folder = mkdtempSync(join(tmpdir(), 'shared-state-tls-'));
    context = { folder, watchdog: new Watchdog(folder), report: () => {} };
    const files = makeCertificates(folder, 'IP:127.0.0.1');
    ca = files.ca;
    const [redisPort, sentinelPort, nodePort, busPort] = await freePorts(4);
    redis = await start('redis', tlsSettings(redisPort, files));
    const settings = [
      `sentinel monitor main 127.0.0.1 ${redisPort} 1`,
      `sentinel auth-pass main ${password}`,
      'tls-replication yes', // also between the Sentinel and Redis
    ];
    sentinel = await start('sentinel', [...tlsSettings(sentinelPort, files), ...settings]);
    const cluster = ['cluster-enabled yes', `cluster-port ${busPort}`, 'tls-cluster yes'];
    node = await start('node', [...tlsSettings(nodePort, files), ...cluster]);
    await node.ask('CLUSTER ADDSLOTSRANGE 0 16383');
    urls = {
      single: `rediss://default:${password}@127.0.0.1:${redisPort}`,
      sentinel: `rediss+sentinel://default:${password}@127.0.0.1:${sentinelPort}/main`,
      cluster: `rediss+cluster://default:${password}@127.0.0.1:${nodePort}`,
    };
  });
  afterAll(async () => {
    for (const process of [sentinel, redis, node]) await process?.stop();
    await context.watchdog.close(); // removes the folder
  });

  function tlsSettings(port: number | undefined, { certificate, key }: Certificates): string[] {
    return [
      `tls-port ${port}`,
      `tls-cert-file ${certificate}`,
      `tls-key-file ${key}`,
      `tls-ca-cert-file ${ca}`,
      'tls-auth-clients no',
    ];
  }

  /** Starts a Redis or a Sentinel. It also has a port without TLS, which only the test knows. */
  async function start(name: string, settings: string[]): Promise<Redis> {
    const options = { name, dir: name, password, settings, isSentinel: name === 'sentinel' };
    const started = new Redis(findTools(() => {}).redis, await freePort(), context, options);
    await started.start();
    return started;
  }

  /** Runs an instance for as long as `work` lasts, which begins when the instance listens. */
  async function withInstance(
    env: NodeJS.ProcessEnv,
    work: (url: string, app: Running) => Promise<void>,
  ): Promise<void> {
    const port = await freePort();
    await using app = runInstance({ PORT: String(port), ...env });
    const url = `http://127.0.0.1:${port}`;
    await eventually(async () => expect((await send(`${url}/livez`)).status).toBe(200), 20_000);
    await work(url, app);
  }

  async function proveOutage(env: NodeJS.ProcessEnv, logged: RegExp): Promise<void> {
    await withInstance(env, async (url, app) => {
      for (const path of ['/', '/readyz']) expect((await send(url + path)).status).toBe(503);
      expect(app.stdout).toMatch(logged);
    });
  }

  describe.each(['single', 'sentinel', 'cluster'] as const)('%s', (kind) => {
    it('should serve views and data if REDIS_CA_FILE names its CA', async () => {
      await withInstance({ REDIS_URL: urls[kind], REDIS_CA_FILE: ca }, async (url) => {
        const views = await new Visitor(url).viewInTurn(2);
        expect(views.map((seen) => seen.views)).toEqual([1, 2]);
        await send(`${url}/data`, { method: 'DELETE' });
        const replies = [await send(`${url}/data`), await send(`${url}/data`)];
        expect(replies.map(({ body }) => body)).toEqual([
          'New Data: This is the new data',
          'Cached Data: This is the new data',
        ]);
      });
    });

    it('should not be trusted without REDIS_CA_FILE, and the log says so', async () => {
      await proveOutage({ REDIS_URL: urls[kind] }, /self-signed certificate in certificate chain/);
    });

    it('should not be trusted by a name that its certificate does not have', async () => {
      const REDIS_URL = urls[kind].replace('127.0.0.1', 'localhost');
      await proveOutage(
        { REDIS_URL, REDIS_CA_FILE: ca },
        /Hostname\/IP does not match certificate's altnames/,
      );
    });
  });
});
