import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../../tools/lib/eventually.ts';
import { Running } from '../../tools/lib/running.ts';
import { type Seen, Visitor } from '../../tools/lib/visitor.ts';
import { freePort } from '../../tools/stack/port.ts';
import { docker, dockerMissing, UP_MS } from '../support/docker.ts';
import { proveNothingLost, range, viewUntilAnswered } from '../support/proofs.ts';
import { MANAGER, NodeNetwork, nodesMissing, SwarmNode } from '../support/swarm-node.ts';
import { underLoad } from '../support/under-load.ts';

/** 1, or 3 with two more engines on this machine. */
const NODES = Number(process.env.SWARM_NODES ?? 1);
const STACK = `shared-state-test-${randomBytes(4).toString('hex')}`;
const NODE_IMAGE = process.env.NODE_IMAGE ?? 'node:24-slim';
const NGINX_IMAGE = process.env.NGINX_IMAGE ?? 'nginx:1.30-alpine';
const REDIS_IMAGE = process.env.REDIS_IMAGE ?? 'redis:8-alpine';
const REDIS = ['redis', 'redis-2', 'redis-3'];
/** Milliseconds in which a change succeeds again after the primary died. */
const BACK_MS = 15_000;
/** Milliseconds for which a node is cut off. */
const CUT_OFF_MS = 25_000;
/** Milliseconds after which Swarm replaces the containers of a node that is gone. */
const REPLACED_MS = 90_000;

const required = process.env.REQUIRE_SWARM === '1' || NODES > 1;
const missing = reasonNotToRun();

/** The engine becomes a swarm for a time, so a user has to ask for it. */
function reasonNotToRun(): string | undefined {
  if (!required) return 'REQUIRE_SWARM=1 makes this Docker engine a swarm for a time';
  const reason = dockerMissing() ?? (NODES > 1 ? nodesMissing() : undefined);
  if (reason) return reason;
  const state = docker(['info', '--format', '{{.Swarm.LocalNodeState}}']).trim();
  return state === 'inactive' ? undefined : `this Docker engine is in a swarm: ${state}`;
}

describe('Docker Swarm', () => {
  it.runIf(required)('should be available, because REQUIRE_SWARM=1 or SWARM_NODES is set', () => {
    expect(missing).toBeUndefined();
  });
});

describe.skipIf(missing)(`deploy/swarm${missing ? ` (skipped: ${missing})` : ''}`, () => {
  const workers: SwarmNode[] = [];
  const images: string[] = [];
  let network: NodeNetwork | undefined;
  let image: string;
  let port: number;
  let url: string;

  beforeAll(async () => {
    port = await freePort('127.0.0.1');
    url = `http://localhost:${port}`;
    image = build(
      `--file services/app/Dockerfile --build-arg NODE_IMAGE=${NODE_IMAGE} .`.split(' '),
    );
    if (NODES > 1) network = new NodeNetwork();
    const address = NODES > 1 ? MANAGER : '127.0.0.1';
    docker(['swarm', 'init', '--advertise-addr', address]);
    const token = docker(['swarm', 'join-token', '--quiet', 'worker']).trim();
    for (const number of range(2, NODES)) {
      const node = await SwarmNode.start(number);
      workers.push(node);
      node.load([image, NGINX_IMAGE, REDIS_IMAGE]);
      node.docker('swarm', 'join', '--token', token, address);
    }
    const { code, stderr } = await deploy(image);
    expect(code, stderr).toBe(0);
  }, 2 * UP_MS);

  afterAll(async () => {
    docker(['swarm', 'leave', '--force']);
    for (const node of workers) await node[Symbol.asyncDispose]();
    network?.[Symbol.dispose]();
    // The engine removes the containers of a swarm that it has left.
    await eventually(() => expect(containersOf('')).toEqual([]), 60_000);
    const volumes = docker(['volume', 'ls', '--quiet', '--filter', `name=${STACK}`]);
    for (const volume of volumes.split('\n').filter(Boolean)) docker(['volume', 'rm', volume]);
    docker(['image', 'rm', ...images]);
  }, 120_000);

  beforeEach(({ onTestFailed }) => {
    onTestFailed(() => {
      const services = docker(['stack', 'services', '--format', '{{.Name}}', STACK]).trim();
      const logs = services.split('\n').map((name) => ['service', 'logs', '--tail', '50', name]);
      for (const words of [...logs, ['stack', 'ps', '--no-trunc', STACK]]) {
        // The log of a node that is cut off would take forever.
        const { stdout } = spawnSync('docker', words, { timeout: 10_000, encoding: 'utf8' });
        console.error(stdout);
      }
    });
  });

  /** Builds an image for the stack and returns its name. */
  function build(words: string[]): string {
    const name = `${STACK}:${images.length}`;
    docker(['build', '--quiet', '--tag', name, ...words]);
    images.push(name);
    return name;
  }

  /** Builds an image that differs in its environment, and loads it on all nodes. */
  async function derive(environment: string): Promise<string> {
    const name = `${STACK}:${images.length}`;
    const lines = `FROM ${image}\\nENV ${environment}\\n`;
    const script = `printf '${lines}' | docker build --quiet --tag ${name} -`;
    await using building = new Running('sh', ['-c', script]);
    const { code, stderr } = await building.ended;
    expect(code, stderr).toBe(0);
    images.push(name);
    for (const node of workers) node.load([name]);
    return name;
  }

  async function deploy(name: string) {
    const env = { STACK, IMAGE: name, NGINX_IMAGE, REDIS_IMAGE, HTTP_PORT: String(port) };
    await using deploying = new Running('sh', ['deploy/swarm/deploy.sh'], env);
    return await deploying.ended;
  }

  /** Runs `docker` beside the load. */
  async function run(...words: string[]): Promise<void> {
    await using running = new Running('docker', words);
    const { code, stderr } = await running.ended;
    expect(code, stderr).toBe(0);
  }

  /** The running containers of a service on this node. */
  function containersOf(service: string): string[] {
    const filter = `label=com.docker.swarm.service.name=${STACK}_${service}`;
    const all = `label=com.docker.stack.namespace=${STACK}`;
    return docker(['ps', '--quiet', '--filter', service ? filter : all])
      .split('\n')
      .filter(Boolean);
  }

  /** Runs `docker VERB ID WORDS` on the container of a service, on whichever node it is. */
  function onContainerOf(service: string, verb: string, ...words: string[]): string {
    const engines = [(...all: string[]) => docker(all), ...workers.map((node) => node.docker)];
    for (const engine of engines) {
      const id = engine('ps', '--quiet', '--filter', `name=${STACK}_${service}\\.`).trim();
      if (id) return engine(verb, id, ...words);
    }
    throw new Error(`no node has a container of ${service}`);
  }

  function redis(service: string, command: string): string {
    const cli = `REDISCLI_AUTH=$(cat /run/secrets/redis_password) redis-cli ${command}`;
    return onContainerOf(service, 'exec', 'sh', '-c', cli);
  }
  const roleOf = (service: string) => redis(service, 'ROLE');

  /** Both replicas have all changes, and each Sentinel knows them and the other Sentinels. */
  async function redisIsComplete(): Promise<void> {
    await eventually(() => {
      for (const number of range(1, 3)) {
        const known = redis(`sentinel-${number}`, '-p 26379 INFO sentinel');
        expect(known).toMatch(/slaves=2,sentinels=3/);
      }
      const replication = REDIS.map((service) => redis(service, 'INFO replication')).join('');
      expect(replication.match(/state=online/g)).toHaveLength(2);
    }, REPLACED_MS);
  }

  /** A node whose loss is no outage of Redis. */
  function nodeWithoutPrimary(): SwarmNode {
    const primary = REDIS.find((service) => roleOf(service).startsWith('master'));
    expect(primary).toBeDefined();
    const filter = `name=${STACK}_${primary}\\.`;
    const found = workers.find((node) => node.docker('ps', '--quiet', '--filter', filter) === '');
    if (!found) throw new Error('each worker has the primary');
    return found;
  }

  async function instancesAre(count: number, ms = REPLACED_MS): Promise<void> {
    await eventually(async () => {
      const seen = await new Visitor(url).viewInTurn(3 * count);
      expect(new Set(seen.map(({ instance }: Seen) => instance)).size).toBe(count);
    }, ms);
  }

  const settings = () => docker(['service', 'inspect', `${STACK}_app`]);

  it('should count with 3 instances, and lose nothing at once', async () => {
    await instancesAre(3);
    await proveNothingLost(url);
  });

  it('should update all instances, without a failed request', async () => {
    const next = await derive('LOG_LEVEL=debug');
    const { requests } = await underLoad(url, '/data', async () => {
      const { code, stderr } = await deploy(next);
      expect(code, stderr).toBe(0);
      await instancesAre(3);
    });
    expect(requests).toBeGreaterThan(100);
    expect(settings()).toContain(next);
    image = next;
  }, 240_000);

  it('should return to the version before if the new one does not start', async () => {
    const broken = await derive('LOG_LEVEL=loud');
    await underLoad(url, '/data', async () => {
      const { code, stderr } = await deploy(broken);
      expect(stderr).toContain('rollback');
      expect(code).toBe(1);
      await eventually(() => expect(settings()).toContain('"State": "rollback_completed"'), 60_000);
      await instancesAre(3);
    });
  }, 240_000);

  it('should replace a killed instance, without a failed request', async () => {
    await underLoad(url, '/data', async () => {
      const [victim = ''] = containersOf('app');
      await run('kill', victim);
      await eventually(() => expect(containersOf('app')).not.toContain(victim));
      await instancesAre(3);
    });
  }, 240_000);

  it('should lose nothing that was answered if the primary is killed', async () => {
    const visitor = new Visitor(url);
    const view = () => viewUntilAnswered(visitor, BACK_MS);
    const seen: number[] = [];
    for (const _ of range(1, 20)) seen.push(await view());
    await redisIsComplete();
    onContainerOf('redis', 'kill');
    for (const _ of range(1, 20)) seen.push(await view());
    expect(seen).toEqual(range(1, 40));
    // It comes back as a replica, under its name but with another address.
    await eventually(() => expect(roleOf('redis')).toMatch(/^slave[\s\S]*connected/), REPLACED_MS);
  }, 240_000);

  it('should require the password of Redis', () => {
    for (const cli of ['redis-cli PING', 'redis-cli -h sentinel-1 -p 26379 PING']) {
      const ping = `${cli} 2>&1 || true`;
      expect(onContainerOf('redis', 'exec', 'sh', '-c', ping)).toContain('NOAUTH');
    }
  });

  describe.runIf(NODES > 1)('on three nodes', () => {
    const loadFor = async (ms: number, work: () => void) => {
      const { requests, slowestMs } = await underLoad(url, '/data', async () => {
        work();
        await delay(ms);
      });
      console.log(`${requests} requests, the slowest took ${Math.round(slowestMs)} ms`);
    };

    const stateOf = ({ name }: SwarmNode) =>
      docker(['node', 'inspect', '--format', '{{.Status.State}}', name]).trim();

    it('should scale up and down, without a failed request', async () => {
      await underLoad(url, '/data', async () => {
        for (const count of [5, 2, 3]) {
          await run('service', 'scale', '--detach', `${STACK}_app=${count}`);
          await instancesAre(count);
        }
      });
    }, 240_000);

    it('should have an instance on each', () => {
      for (const node of workers) {
        expect(node.docker('ps', '--quiet', '--filter', `name=${STACK}_app`)).not.toBe('');
      }
    });

    it('should not fail a request if a node is cut off, nor when it is back', async () => {
      await redisIsComplete();
      const node = nodeWithoutPrimary();
      await loadFor(CUT_OFF_MS, () => node.disconnect());
      expect(stateOf(node)).toBe('down');
      await loadFor(CUT_OFF_MS, () => node.connect());
      expect(stateOf(node)).toBe('ready');
      await instancesAre(3);
    }, 300_000);

    it('should not fail a request if a node dies', async () => {
      await redisIsComplete();
      const node = nodeWithoutPrimary();
      await loadFor(CUT_OFF_MS, () => node.kill());
      expect(stateOf(node)).toBe('down');
      await instancesAre(3);
    }, 300_000);
  });
});
