import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../tools/lib/eventually.ts';
import { Running } from '../../tools/lib/running.ts';
import { Visitor } from '../../tools/lib/visitor.ts';
import { clusterMissing, kubectl, OVERLAYS } from '../support/kubernetes.ts';
import { range } from '../support/proofs.ts';

const missing = clusterMissing();
const NAMESPACE = 'shared-state';
/** Milliseconds. Images may have to be pulled first. */
const UP_MS = 300_000;
/** Milliseconds between a reply and the next request of a visitor. */
const THINK_MS = 20;

it.runIf(process.env.REQUIRE_KUBERNETES === '1')(
  'should be there, since REQUIRE_KUBERNETES=1',
  () => {
    expect(missing).toBeUndefined();
  },
);

function start(...words: string[]): Running {
  return new Running(kubectl ?? '', ['--namespace', NAMESPACE, ...words]);
}

/** Runs `kubectl` beside the test. Resolves to its output; fails unless it exits with 0. */
async function run(...words: string[]): Promise<string> {
  await using running = start(...words);
  const { code, stdout, stderr } = await running.ended;
  expect(code, stderr).toBe(0);
  expect(stderr).not.toContain('Warning');
  return stdout;
}

async function ready(deployment: string): Promise<void> {
  await run('rollout', 'status', `deployment/${deployment}`, '--timeout=240s');
}

describe.skipIf(missing)(`a cluster${missing ? ` (skipped: ${missing})` : ''}`, () => {
  let isOwn = false; // it refuses a namespace that exists, and does not delete it
  beforeAll(async () => {
    await run('create', '--save-config', '--filename', 'deploy/kubernetes/base/namespace.yaml');
    isOwn = true;
  });
  afterAll(async () => {
    if (isOwn) await run('delete', 'namespace', NAMESPACE);
  }, UP_MS);

  it('should accept each resource of production', async () => {
    await run('apply', '--dry-run=server', '--kustomize', `${OVERLAYS}/production`);
  }, 60_000);

  describe('with the local overlay', () => {
    let url: string;
    let forwarding: Running | undefined;
    beforeAll(async () => {
      await run('apply', '--kustomize', `${OVERLAYS}/local`);
      for (const name of ['app', 'dashboard', 'nginx']) await ready(name);
      const forward = start('port-forward', 'service/nginx', ':8080');
      forwarding = forward;
      url = await eventually(() => {
        const [, port] = /127\.0\.0\.1:(\d+)/.exec(forward.stdout) ?? [];
        expect(port, forward.stderr).toBeDefined();
        return `http://127.0.0.1:${port}`;
      });
    }, UP_MS);
    afterAll(() => forwarding?.[Symbol.asyncDispose]());

    it(
      'should replace all pods under requests, with no failure and no lost view',
      async () => {
        const pods = ['pods', '--selector', 'app.kubernetes.io/name in (app, dashboard)'];
        const replaceAll = async () => {
          const old = (await run('get', ...pods, '--output', 'name')).trim().split('\n');
          expect(old).toHaveLength(4);
          await run('rollout', 'restart', 'deployment/app', 'deployment/dashboard');
          for (const name of ['app', 'dashboard']) await ready(name);
          await run('wait', '--for=delete', ...old, '--timeout=120s');
        };
        let isWorking = true;
        const keepViewing = async () => {
          const visitor = new Visitor(url);
          let views = 0;
          for (; isWorking; await delay(THINK_MS)) {
            views += 1;
            expect((await visitor.view()).views).toBe(views);
          }
          return views;
        };
        const load = Promise.all(range(1, 4).map(keepViewing));
        await Promise.race([replaceAll(), load]).finally(() => {
          isWorking = false;
        });
        for (const views of await load) expect(views).toBeGreaterThan(100);
      },
      UP_MS,
    );
  });
});
