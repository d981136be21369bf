import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Overview } from '../../services/dashboard/protocol.ts';
import { eventually } from '../../tools/lib/eventually.ts';
import { type Seen, send, Visitor } from '../../tools/lib/visitor.ts';
import { ComposeStack, docker, dockerMissing, UP_MS } from '../support/docker.ts';
import { Events } from '../support/events.ts';
import { proveContinuity, proveNothingLost, range, viewsIn } from '../support/proofs.ts';
import { Shopper } from '../support/shop.ts';
import { underLoad } from '../support/under-load.ts';

const missing = dockerMissing();
const required = process.env.REQUIRE_DOCKER === '1';
/** Requested under load too. */
const WATCHED = '/dashboard/instances';
const nodeImage = process.env.NODE_IMAGE ?? 'node:24-slim';

describe('Docker', () => {
  it.runIf(required)('should be available, because REQUIRE_DOCKER=1', () => {
    expect(missing).toBeUndefined();
  });
});

describe.skipIf(missing)(`docker-compose.yml${missing ? ` (skipped: ${missing})` : ''}`, () => {
  let stack: ComposeStack;
  let url: string;

  const compose = (...words: string[]) => stack.run(words);
  const UP = ['up', '--detach', '--no-build', '--no-recreate', '--wait'];
  /** Scales the running stack with `docker compose up --scale app=N`. */
  const scale = (count: number) => compose(...UP, '--scale', `app=${count}`);
  const instancesOf = (seen: Seen[]) => new Set(seen.map(({ instance }) => instance)).size;
  const idsOf = (...services: string[]) =>
    compose('ps', '--quiet', ...services)
      .trim()
      .split('\n');

  /** Runs a program beside the test. Fails unless it exits with 0. */
  async function run(file: string, args: string[], env?: NodeJS.ProcessEnv): Promise<void> {
    await using running = stack.start(file, args, env);
    const { code, stderr } = await running.ended;
    expect(code, stderr).toBe(0);
  }

  /** Fails unless each container has the name that Docker shows: in replies, in its log, on the page. */
  async function proveNames(): Promise<void> {
    const shown = (...services: string[]) =>
      compose('ps', '--format', '{{.Name}}', ...services)
        .trim()
        .split('\n')
        .map((name) => name.slice(stack.project.length + 1))
        .sort();
    const program =
      "console.log((await fetch('http://127.0.0.1:3000/livez')).headers.get('x-instance'))";
    const ask = ['node', '--input-type=module', '--eval', program];
    const names = shown('app', 'dashboard');
    const answers = names.map(async (name) => {
      await using asked = stack.start('docker', ['exec', `${stack.project}-${name}`, ...ask]);
      const { stdout, stderr } = await asked.ended;
      return stdout.trim() || stderr;
    });
    expect(await Promise.all(answers)).toEqual(names);

    const lines = compose('logs', '--no-color', 'app', 'dashboard').matchAll(
      /^(\S+) +\| .*"instance":"(.*?)"/gm,
    );
    const inLogs = new Set([...lines].map(([, prefix, name]) => `${prefix} ${name}`));
    expect([...inLogs].sort()).toEqual(names.map((name) => `${name} ${name}`));

    await eventually(async () => {
      const { body } = await send(`${url}/dashboard/instances`);
      const { instances } = JSON.parse(body) as Overview;
      const onPage = instances.map(({ name, state }) => `${name} ${state}`);
      expect(onPage.sort()).toEqual(shown('app').map((name) => `${name} ready`));
    });
  }

  beforeAll(async () => {
    stack = await ComposeStack.start();
    url = stack.url;
  }, UP_MS);
  afterAll(() => stack?.[Symbol.asyncDispose]());
  beforeEach(({ onTestFailed }) => {
    onTestFailed(() => console.error(compose('logs', '--timestamps', 'app', 'dashboard', 'redis')));
  });

  it('should run 3 instances by default', async () => {
    await proveContinuity(url);
    expect(instancesOf(await new Visitor(url).viewInTurn(6))).toBe(3);
  });

  it('should name the instances app-1, app-2 and app-3, and list them on the dashboard', async () => {
    const seen = await new Visitor(url).viewInTurn(6);
    expect([...new Set(seen.map(({ instance }) => instance))].sort()).toEqual([
      'app-1',
      'app-2',
      'app-3',
    ]);
    await using events = await Events.open(`${url}/dashboard/events`);
    const ready = { state: 'ready' };
    await events.next('tick', ({ instances }) => instances.length === 3);
    await eventually(() => {
      expect(events.ticks.at(-1)?.instances).toMatchObject([
        { name: 'app-1', ...ready },
        { name: 'app-2', ...ready },
        { name: 'app-3', ...ready },
      ]);
    });
  });

  it('should name each container as docker ps does', proveNames);

  it('should have a cookie of its own, unlike other projects and npm start', async () => {
    const visitor = new Visitor(url);
    await visitor.view();
    expect([...visitor.cookies.keys()]).toEqual([`connect.sid.${stack.project}`]);
    expect(JSON.parse((await visitor.send('/dashboard/session')).body).views).toBe(1);
  });

  it('should count 200 views at once as exactly 200', () => proveNothingLost(url));

  it('should share cached data between instances', async () => {
    expect((await send(`${url}/data`)).body).toBe('New Data: This is the new data');
    expect((await send(`${url}/data`)).body).toBe('Cached Data: This is the new data');
  });

  it('should share a login and a cart with the dashboard', async () => {
    const ada = new Shopper(url);
    await ada.logIn('Ada');
    await ada.view();
    await ada.add('tea', 2);
    expect(JSON.parse((await ada.send('/dashboard/session')).body)).toEqual({
      name: 'Ada',
      views: 1,
      cart: { tea: 2 },
    });
  });

  it('should serve the page, with two dashboards that show the same', async () => {
    compose(...UP, '--no-deps', '--scale', 'dashboard=2', 'dashboard');
    const headers = { accept: 'text/html' };
    const dashboards = new Map<string, string[]>();
    expect((await send(`${url}/`, { headers })).headers['content-type']).toMatch(/^text\/html/);
    // One request in each round: nginx would send every second one to the same dashboard.
    await eventually(async () => {
      const reply = await send(`${url}/dashboard/instances`);
      const { instances } = JSON.parse(reply.body) as Overview;
      const name = String(reply.headers['x-instance']);
      dashboards.set(
        name,
        instances.map((instance) => instance.name),
      );
      expect(dashboards.size).toBe(2);
    });
    const names = ['app-1', 'app-2', 'app-3'];
    expect([...dashboards.values()]).toEqual([names, names]);
    compose(...UP, '--no-deps', '--scale', 'dashboard=1', 'dashboard');
  });

  it('should scale up and down under requests, with no reload, no failure and no lost view', async () => {
    await underLoad(url, WATCHED, async () => {
      for (const count of [5, 2]) {
        await run('docker', ['compose', ...UP, '--scale', `app=${count}`]);
        await eventually(async () => {
          expect(instancesOf(await new Visitor(url).viewInTurn(2 * count))).toBe(count);
        });
      }
    });
    expect(compose('logs', 'nginx')).not.toContain('SIGHUP');
  }, 120_000);

  it('should not fail, lose or count twice any view if two of three instances are killed at once', async () => {
    scale(3);
    await eventually(async () => {
      expect(instancesOf(await new Visitor(url).viewInTurn(9))).toBe(3);
    });
    const victims = idsOf('app').slice(0, 2);
    let killed = false;
    const kill = async () => {
      await run('docker', ['kill', ...victims]).finally(() => {
        killed = true;
      });
    };
    const keepViewing = async () => {
      const visitor = new Visitor(url);
      const seen: Seen[] = [];
      while (!killed) seen.push(await visitor.view());
      // until Docker's DNS drops the killed instances and nginx resolves the names again
      return [...seen, ...(await visitor.viewInTurn(20))].map(({ views }) => views);
    };
    const [, ...counts] = await Promise.all([kill(), ...range(1, 12).map(keepViewing)]);
    for (const seen of counts) expect(seen).toEqual(range(1, seen.length));
    scale(3);
  }, 60_000);

  it('should name each container as docker ps does after scaling and a kill', proveNames);

  it('should keep sessions across a restart of Redis', async () => {
    const visitor = new Visitor(url);
    await visitor.viewInTurn(3);
    compose('restart', 'redis');
    expect((await eventually(() => visitor.view())).views).toBe(4);
    // every instance reconnects
    await eventually(() => new Visitor(url).viewInTurn(6));
  });

  it('should continue with the same nginx after Redis and all instances get new addresses', async () => {
    const visitor = new Visitor(url);
    await visitor.viewInTurn(3);
    const services = ['redis', 'dashboard', 'app'];
    const addressesOf = (ids: string[]) =>
      docker([
        'inspect',
        '--format',
        '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}',
        ...ids,
      ])
        .trim()
        .split('\n');
    const [nginx = ''] = idsOf('nginx');
    const startedAt = () => docker(['inspect', '--format', '{{.State.StartedAt}}', nginx]);
    const before = { nginx: startedAt(), addresses: addressesOf(idsOf(...services)) };

    compose('rm', '--stop', '--force', ...services);
    // These containers take the old addresses, so that Docker does not assign them again.
    const fillers = before.addresses.map(() =>
      docker([
        'run',
        '--detach',
        '--network',
        `${stack.project}_default`,
        nodeImage,
        'sleep',
        '120',
      ]).trim(),
    );
    try {
      compose('up', '--detach', '--no-build', '--wait', '--scale', 'app=3', ...services);
      await eventually(async () => expect((await visitor.view()).views).toBe(4), 10_000);
      await eventually(async () => {
        expect(instancesOf(await new Visitor(url).viewInTurn(9))).toBe(3);
      });
      const addresses = addressesOf(idsOf(...services));
      expect(addresses.filter((address) => before.addresses.includes(address))).toEqual([]);
      expect(startedAt()).toBe(before.nginx);
    } finally {
      docker(['rm', '--force', ...fillers]);
    }
  }, 120_000);

  it('should find the code that was compiled for the image', () => {
    const files = "fs.readdirSync(require('module').getCompileCacheDir()).length";
    expect(Number(compose('exec', '-T', 'app', 'node', '--print', files))).toBeGreaterThan(100);
  });

  it('should end an instance cleanly on SIGTERM', async () => {
    const [id = ''] = idsOf('app');
    docker(['stop', id]);
    expect(docker(['inspect', '--format', '{{.State.ExitCode}}', id]).trim()).toBe('0');
    scale(3);
  }, 60_000);

  it('should publish only nginx, only on loopback, and run every container with minimal rights', () => {
    const containers = JSON.parse(docker(['inspect', ...idsOf()]));
    expect(containers).toHaveLength(6);
    for (const { Config, HostConfig } of containers) {
      const service = Config.Labels['com.docker.compose.service'];
      const published = Object.values(HostConfig.PortBindings ?? {}).flat() as { HostIp: string }[];
      const addresses = published.map(({ HostIp }) => HostIp);
      expect(addresses, service).toEqual(service === 'nginx' ? ['127.0.0.1'] : []);
      expect(Config.User, service).toMatch(/^[1-9]\d*(:[1-9]\d*)?$/);
      expect(HostConfig.ReadonlyRootfs, service).toBe(true);
      expect(HostConfig.CapDrop, service).toEqual(['ALL']);
      expect(HostConfig.SecurityOpt, service).toEqual(['no-new-privileges:true']);
    }
  });

  it('should not ask the proxy that Docker may set in containers for their health', () => {
    scale(3);
    const names = ['http_proxy', 'HTTP_PROXY', 'all_proxy', 'ALL_PROXY'];
    const proxy = names.flatMap((name) => ['--env', `${name}=http://127.0.0.1:9`]);
    for (const id of idsOf()) {
      const format = '{{json .Config.Healthcheck.Test}}';
      const [kind, ...words] = JSON.parse(docker(['inspect', '--format', format, id]));
      const check = kind === 'CMD-SHELL' ? ['sh', '-c', ...words] : words;
      docker(['exec', ...proxy, id, ...check]);
    }
  });

  it('should not start a second Redis, which would write to the same append-only file', async () => {
    await using scaling = stack.start('docker', ['compose', ...UP, '--scale', 'redis=2']);
    const { code, stderr } = await scaling.ended;
    expect(code).not.toBe(0);
    expect(stderr).toContain('"redis" service is using the custom container name');
    expect(idsOf('redis')).toHaveLength(1);
  });

  describe('sh tools/rollout.sh', () => {
    const REPLACED = ['app', 'dashboard'];
    const environmentsOf = (ids: string[]) =>
      docker(['inspect', '--format', '{{json .Config.Env}}', ...ids])
        .trim()
        .split('\n');

    it('should replace all instances and the dashboard under requests, even if it was killed before', async () => {
      scale(2);
      const before = idsOf(...REPLACED);
      const setting = { CACHE_TTL_SECONDS: '59', LOG_LEVEL: 'debug' };
      await underLoad(url, WATCHED, async () => {
        {
          await using killed = stack.start('sh', ['tools/rollout.sh'], setting);
          await eventually(() => expect(idsOf('app'), killed.stderr).toHaveLength(3), 120_000);
        }
        await run('sh', ['tools/rollout.sh'], setting);
      });
      const after = idsOf(...REPLACED);
      expect(after).toHaveLength(before.length);
      expect(after.filter((id) => before.includes(id))).toEqual([]);
      for (const env of environmentsOf(after)) expect(env).toContain('LOG_LEVEL=debug');
      expect(idsOf('--all', 'app')).toHaveLength(2); // with the trial containers
      await proveNames();
    }, 420_000);

    it('should replace nothing if the new container is never ready, and show its log', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'shared-state-rollout-'));
      const override = join(folder, 'override.json');
      const app = { environment: { REDIS_URL: 'redis://nowhere' }, healthcheck: { retries: 8 } };
      writeFileSync(override, JSON.stringify({ services: { app } }));
      const before = idsOf('--all', ...REPLACED);
      try {
        await underLoad(url, WATCHED, async () => {
          const COMPOSE_FILE = `docker-compose.yml:${override}`;
          await using rollout = stack.start('sh', ['tools/rollout.sh'], { COMPOSE_FILE });
          const { code, stderr } = await rollout.ended;
          expect(code).toBe(1);
          expect(stderr).toContain('ENOTFOUND nowhere');
          expect(stderr).toContain('The new container did not become healthy');
        });
      } finally {
        rmSync(folder, { recursive: true });
      }
      expect(idsOf('--all', ...REPLACED)).toEqual(before);
    }, 120_000);
  });

  it('should answer all requests that it accepts until it has stopped', async () => {
    const viewUntilRefused = async () => {
      const visitor = new Visitor(url);
      const views: number[] = [];
      for (;;) {
        const reply = await visitor.send().catch(() => undefined);
        if (!reply) return views;
        views.push(viewsIn(reply));
      }
    };
    const load = Promise.all(range(1, 6).map(viewUntilRefused));
    await run('docker', ['compose', 'stop']);
    for (const views of await load) {
      expect(views.length).toBeGreaterThan(0);
      expect(views).toEqual(range(1, views.length));
    }
  }, 120_000);

  it('should believe the proxies in TRUSTED_PROXIES that a request came over TLS', async () => {
    // To a container, this machine is the gateway of its network.
    const env = { TRUSTED_PROXIES: '10.0.0.0/8, 172.16.0.0/12,192.168.0.0/16' };
    stack.run(['up', '--detach', '--no-build', '--wait'], env);
    const address = compose('port', 'nginx', '8080').trim();
    const headers = { 'x-forwarded-proto': 'https' };
    const reply = await send(`http://${address}/`, { headers });
    expect(reply.headers['set-cookie']?.[0]).toContain('; Secure');
  }, 120_000);

  it('should say why a setting is refused, and limit the restarts', async () => {
    compose('down');
    const setting = { SESSION_STORE: 'memory' };
    await using up = stack.start('docker', ['compose', 'up', '--no-build'], setting);
    const { code, stdout } = await up.ended;
    expect(code).not.toBe(0);
    // Compose may end before it has shown the last lines; the log of the instances has them.
    const shown = stdout + compose('logs', 'app');
    expect(shown).toContain('SESSION_STORE=memory: with NODE_ENV=production it must be redis');
    const format = '{{.HostConfig.RestartPolicy.MaximumRetryCount}}';
    for (const id of idsOf('--all', 'app', 'dashboard')) {
      expect(docker(['inspect', '--format', format, id])).toBe('10\n');
    }
  }, 120_000);
});
