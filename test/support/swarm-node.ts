import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../../tools/lib/eventually.ts';
import { docker } from './docker.ts';

/** The network between the nodes, and the address of this machine in it. */
const BRIDGE = 'swarmtest0';
export const MANAGER = '10.213.0.1';
/** Milliseconds. An engine starts within a second on an idle machine. */
const START_MS = 60_000;

/** Returns why nodes cannot run here, or `undefined` if they can. */
export function nodesMissing(): string | undefined {
  const { status } = spawnSync('ip', ['link', 'add', `${BRIDGE}x`, 'type', 'bridge']);
  if (status !== 0) return 'only root can make nodes of a swarm, with iproute2 and dockerd';
  run('ip', 'link', 'delete', `${BRIDGE}x`);
  return undefined;
}

/** Runs a program. Throws if it fails. */
function run(file: string, ...args: string[]): void {
  const { status, stderr } = spawnSync(file, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${file} ${args.join(' ')}: ${stderr}`);
}

/** Connects this machine to the network of the nodes, until the end of its scope. */
export class NodeNetwork implements Disposable {
  constructor() {
    run('ip', 'link', 'add', BRIDGE, 'type', 'bridge');
    run('ip', 'address', 'add', `${MANAGER}/24`, 'dev', BRIDGE);
    run('ip', 'link', 'set', BRIDGE, 'up');
    this.#letNodesTalk('--insert');
  }

  /** Docker lets the system forward nothing else, which includes packets from one node to another. */
  #letNodesTalk(action: '--insert' | '--delete'): void {
    const between = ['--in-interface', BRIDGE, '--out-interface', BRIDGE];
    run('iptables', '--wait', action, 'FORWARD', ...between, '--jump', 'ACCEPT');
  }

  [Symbol.dispose](): void {
    this.#letNodesTalk('--delete');
    run('ip', 'link', 'delete', BRIDGE);
  }
}

/** A machine of its own, as far as Docker can tell: an engine in namespaces of network and processes. */
export class SwarmNode implements AsyncDisposable {
  readonly name: string;
  readonly #folder = mkdtempSync(join(tmpdir(), 'shared-state-node-'));
  readonly #veth: string;
  #pid = 0;

  /** @param number from 2 on; the manager is 1 */
  static async start(number: number): Promise<SwarmNode> {
    const node = new SwarmNode(number);
    try {
      await eventually(() => node.docker('info'), START_MS);
    } catch (err) {
      await node[Symbol.asyncDispose]();
      throw err;
    }
    return node;
  }

  private constructor(number: number) {
    this.name = `swarmtest-${number}`;
    this.#veth = `swarmtest${number}v`;
    run('ip', 'netns', 'add', this.name);
    const peer = ['peer', 'name', 'eth0', 'netns', this.name];
    run('ip', 'link', 'add', this.#veth, 'type', 'veth', ...peer);
    this.connect();
    run('ip', 'link', 'set', this.#veth, 'up');
    const inside = (...words: string[]) => run('ip', '-netns', this.name, ...words);
    inside('address', 'add', `10.213.0.${number}/24`, 'dev', 'eth0');
    for (const link of ['lo', 'eth0']) inside('link', 'set', link, 'up');
    this.#run();
  }

  /** Starts the engine. All its processes end with it. */
  #run(): void {
    const folder = this.#folder;
    const engine = [
      ['hostname', this.name],
      ['mount', '-t', 'tmpfs', 'tmpfs', '/run'],
      [
        ...['exec', 'dockerd', '--host', `unix://${folder}/docker.sock`],
        ...['--data-root', `${folder}/data`, '--exec-root', '/run/docker'],
        ...['--pidfile', '/run/docker.pid', '--cgroup-parent', `/${this.name}`],
        ...['--dns-opt', 'ndots:1'], // see deploy/swarm/README.md; no DNS server answers here
      ],
    ];
    const script = engine.map((words) => words.join(' ')).join(' && ');
    const namespaces = ['--mount', '--uts', '--pid', '--fork', '--kill-child', '--mount-proc'];
    const log = openSync(join(folder, 'dockerd.log'), 'w');
    const { pid = 0 } = spawn(
      'nsenter',
      [`--net=/run/netns/${this.name}`, 'unshare', ...namespaces, 'sh', '-c', script],
      { stdio: ['ignore', log, log], detached: true },
    );
    this.#pid = pid;
  }

  /** Runs `docker` with the engine of this node and returns its output. Throws if it fails. */
  docker = (...words: string[]): string =>
    docker(['--host', `unix://${this.#folder}/docker.sock`, ...words]);

  /** Loads images of this machine. */
  load(images: string[]): void {
    const host = `unix://${this.#folder}/docker.sock`;
    run('sh', '-c', `docker save ${images.join(' ')} | docker --host ${host} load`);
  }

  /** Cuts the cable: the node sends and receives nothing, and no connection is closed. */
  disconnect(): void {
    run('ip', 'link', 'set', this.#veth, 'nomaster');
  }

  connect(): void {
    run('ip', 'link', 'set', this.#veth, 'master', BRIDGE);
  }

  /** Ends all processes of the node at once, as a loss of power does. */
  kill(): void {
    if (this.#pid) process.kill(this.#pid, 'SIGKILL');
    this.#pid = 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill();
    run('ip', 'link', 'delete', this.#veth); // the namespace may live on for a moment
    run('ip', 'netns', 'delete', this.name);
    await eventually(() => rmSync(this.#folder, { recursive: true, force: true }));
  }
}
