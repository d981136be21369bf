import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Overview } from '../../services/dashboard/protocol.ts';
import { eventually } from '../../tools/lib/eventually.ts';
import { Running } from '../../tools/lib/running.ts';
import { type Seen, send, Visitor } from '../../tools/lib/visitor.ts';
import { ComposeStack, docker, dockerMissing, UP_MS } from '../support/docker.ts';
import { Events } from '../support/events.ts';
import { proveContinuity, proveNothingLost, range } from '../support/proofs.ts';
import { Shopper } from '../support/shop.ts';

const missing = dockerMissing();
const required = process.env.REQUIRE_DOCKER === '1';
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
  /** Scales the running stack with `docker compose up --scale app=N`. */
  const scale = (count: number) =>
    compose('up', '--detach', '--no-build', '--no-recreate', '--wait', '--scale', `app=${count}`);
  const instancesOf = (seen: Seen[]) => new Set(seen.map(({ instance }) => instance)).size;

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

  it('should have a cookie of its own, unlike other projects and npm start', async () => {
    const visitor = new Visitor(url);
    await visitor.view();
    expect([...visitor.cookies.keys()]).toEqual([`connect.sid.compose.${stack.project}`]);
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
    const up = ['up', '--detach', '--no-build', '--no-recreate', '--no-deps', '--wait'];
    compose(...up, '--scale', 'dashboard=2', 'dashboard');
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
    compose(...up, '--scale', 'dashboard=1', 'dashboard');
  });

  it('should scale up and down under requests, with no reload, no failure and no lost view', async () => {
    let scaling = true;
    const load = range(1, 2).map(async () => {
      const visitor = new Visitor(url);
      const seen: Seen[] = [];
      while (scaling) seen.push(await visitor.view());
      return seen;
    });
    try {
      scale(5);
      await eventually(async () => {
        expect(instancesOf(await new Visitor(url).viewInTurn(10))).toBe(5);
      });
      scale(2);
      await eventually(async () => {
        expect(instancesOf(await new Visitor(url).viewInTurn(10))).toBe(2);
      });
    } finally {
      scaling = false;
    }
    for (const seen of await Promise.all(load)) {
      expect(seen.map(({ views }) => views)).toEqual(range(1, seen.length));
    }
    expect(compose('logs', 'nginx')).not.toContain('SIGHUP');
  }, 120_000);

  it('should not fail, lose or count twice any view if two of three instances are killed at once', async () => {
    scale(3);
    await eventually(async () => {
      expect(instancesOf(await new Visitor(url).viewInTurn(9))).toBe(3);
    });
    const victims = compose('ps', '--quiet', 'app').trim().split('\n').slice(0, 2);
    let killed = false;
    const kill = async () => {
      await using running = new Running('docker', ['kill', ...victims]);
      const { code, stderr } = await running.ended;
      killed = true;
      expect(code, stderr).toBe(0);
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
    const idsOf = (...names: string[]) =>
      compose('ps', '--quiet', ...names)
        .trim()
        .split('\n');
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

  it('should end an instance cleanly on SIGTERM', async () => {
    const [id = ''] = compose('ps', '--quiet', 'app').split('\n');
    docker(['stop', id]);
    expect(docker(['inspect', '--format', '{{.State.ExitCode}}', id]).trim()).toBe('0');
    scale(3);
  }, 60_000);

  it('should publish only nginx, only on loopback, and run every container with minimal rights', () => {
    const ids = compose('ps', '--quiet').trim().split('\n');
    const containers = JSON.parse(docker(['inspect', ...ids]));
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

  it('should believe the proxies in TRUSTED_PROXIES that a request came over TLS', async () => {
    // To a container, this machine is the gateway of its network.
    const env = { TRUSTED_PROXIES: '10.0.0.0/8, 172.16.0.0/12,192.168.0.0/16' };
    stack.run(['up', '--detach', '--no-build', '--no-deps', '--wait', 'nginx'], env);
    const address = compose('port', 'nginx', '8080').trim();
    const headers = { 'x-forwarded-proto': 'https' };
    const reply = await send(`http://${address}/`, { headers });
    expect(reply.headers['set-cookie']?.[0]).toContain('; Secure');
  }, 60_000);
});
