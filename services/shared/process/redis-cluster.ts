import { EventEmitter } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { ClientOfflineError, type CommandParser, ErrorReply, type RedisScripts } from 'redis';
import { closeRedis } from './redis.ts';
import { forwardEvents, proxyClient } from './redis-proxy.ts';
import { claimsIn, SLOTS, slotOf } from './redis-slots.ts';
import type { RedisAddress } from './redis-url.ts';
import { type Answer, type SharedOptions, watchServers } from './redis-watch.ts';

/** Milliseconds between two attempts while the slot of a key moves to another primary. */
const MOVING_MS = 20;
/** Milliseconds after which a command for such a key fails. */
const MAX_MOVING_MS = 500;

/** Milliseconds for the last replies of a node that has no slots any more. */
const CLOSE_MS = 200;

/** The part of a client that is needed here. */
interface Node extends EventEmitter {
  readonly isReady: boolean;
  ping(): Promise<string>;
  sendCommand(args: string[]): Promise<unknown>;
  close(): Promise<unknown>;
  destroy(): void;
}

/** Commands and scripts, by the name of the method. */
type Commands = Record<string, (...args: unknown[]) => Promise<unknown>>;

/** What a client of a Cluster can be asked besides. */
export interface Shards<Client> {
  /** The clients of all primaries. */
  nodes(): Client[];
  /** The client of the primary that has a key; `undefined` if none is known. */
  nodeOf(key: string): Client | undefined;
}

/**
 * A client that sends each command to the primary that has its key. PING asks any of them, and
 * `sendCommand` all of them. A primary that is away fails only the commands for its own keys.
 *
 * node-redis has a client of its own for a Cluster. There, a command to a primary that hangs waits
 * until this primary is back, even if a replica has taken over.
 *
 * @param offline a client that is not connected
 * @param create connects a client to a URL
 * @param options those of the client, which its other connections share
 */
export function routeByKey<Client extends Node>(
  address: Extract<RedisAddress, { kind: 'cluster' }>,
  offline: Client,
  create: (url: string) => Client,
  options: SharedOptions,
): Client & Shards<Client> {
  const router = new Router(address, create, options);
  return proxyClient(offline, router.events, (key) => {
    if (key in router) return { owner: router, value: Reflect.get(router, key) };
    const value = Reflect.get(offline, key);
    const isCommand = typeof value === 'function';
    return { owner: router, value: isCommand ? router.run.bind(router, key) : value };
  }) as Client & Shards<Client>;
}

class Router<Client extends Node> implements Omit<Node, keyof EventEmitter>, Shards<Client> {
  /** Told of the events of all nodes; `ready` if all nodes are, `end` if a slot has moved. */
  readonly events = new EventEmitter();
  #scripts: RedisScripts;
  #create: (url: string) => Client;
  #urlOf: (host: string, port: string) => string;
  #endWatch: () => void;
  #clients = new Map<string, Client>();
  /** The URL of the primary of each slot. */
  #owners: string[] = [];
  #known = '';

  constructor(
    { seeds, urlOf }: Extract<RedisAddress, { kind: 'cluster' }>,
    create: (url: string) => Client,
    options: SharedOptions,
  ) {
    this.#scripts = options.scripts;
    this.#create = create;
    this.#urlOf = urlOf;
    const onAnswer = (answers: ReadonlyMap<string, Answer>) => this.#update(answers);
    const name = `${options.name}: topology from`;
    const command = ['CLUSTER', 'NODES'];
    this.#endWatch = watchServers({ ...options, name, urls: seeds, command, onAnswer });
  }

  get isReady(): boolean {
    return this.nodes().some((node) => node.isReady);
  }

  nodes(): Client[] {
    return [...this.#clients.values()];
  }

  nodeOf(key: string): Client | undefined {
    return this.#clients.get(this.#owners[slotOf(key)] ?? '');
  }

  async ping(): Promise<string> {
    const pings = this.nodes().map((node) => node.ping());
    return Promise.any(pings).catch(({ errors }) => {
      throw errors[0] ?? new ClientOfflineError();
    });
  }

  async sendCommand(args: string[]): Promise<unknown> {
    if (this.#clients.size === 0) throw new ClientOfflineError();
    const [reply] = await Promise.all(this.nodes().map((node) => node.sendCommand(args)));
    return reply;
  }

  async close(): Promise<void> {
    this.#endWatch();
    await Promise.all(this.nodes().map((node) => node.close()));
  }

  destroy(): void {
    this.#endWatch();
    for (const node of this.nodes()) node.destroy();
  }

  /** Runs a command or a script. It is repeated only if a node says that it did not apply it. */
  async run(name: string, ...args: unknown[]): Promise<unknown> {
    const slot = slotOf(this.#keyOf(name, args));
    const until = performance.now() + MAX_MOVING_MS;
    for (let hasMoved = false; ; ) {
      const owner = this.#owners[slot] ?? '';
      const client = this.#clients.get(owner);
      try {
        if (!client) throw new ClientOfflineError();
        return await (client as unknown as Commands)[name]?.(...args);
      } catch (err) {
        const { kind, host, port } = refusalIn(err);
        if (kind === 'MOVED') {
          hasMoved = true;
          this.#assign(slot, this.#urlOf(host || new URL(owner).hostname, port));
        }
        const isConnecting = hasMoved && err instanceof ClientOfflineError;
        if (!(kind || isConnecting) || performance.now() > until) throw err;
        await delay(MOVING_MS);
      }
    }
  }

  #keyOf(name: string, args: unknown[]): string {
    const script = this.#scripts[name];
    if (!script) return String([args[0]].flat()[0]);
    const keys: unknown[] = [];
    const pushKey = (key: unknown) => keys.push(key);
    const parser = { push() {}, pushKey, pushKeys: pushKey } as unknown as CommandParser;
    script.parseCommand(parser, ...args);
    return String(keys.flat()[0]);
  }

  #update(answers: ReadonlyMap<string, Answer>): void {
    const claims = [...answers].flatMap(([seed, { value }]) => claimsIn(seed, String(value)));
    claims.sort((one, other) => one.epoch - other.epoch);
    const known = JSON.stringify(claims);
    if (known === this.#known) return;
    this.#known = known;
    const owners: string[] = new Array(SLOTS).fill('');
    for (const { host, port, ranges } of claims) {
      for (const [first, last] of ranges) owners.fill(this.#urlOf(host, port), first, last + 1);
    }
    this.#setOwners(owners);
  }

  #assign(slot: number, owner: string): void {
    this.#setOwners(this.#owners.with(slot, owner));
  }

  /** Connects to the primaries that have slots, and to no others. */
  #setOwners(owners: string[]): void {
    if (owners.every((owner, slot) => owner === this.#owners[slot])) return;
    this.#owners = owners;
    const urls = new Set(owners.filter(Boolean));
    for (const [url, client] of this.#clients) {
      if (urls.delete(url)) continue;
      this.#clients.delete(url);
      void closeRedis(client, CLOSE_MS);
    }
    for (const url of urls) {
      const client = this.#create(url);
      this.#clients.set(url, client);
      const isTold = (event: string) =>
        event !== 'ready' || this.nodes().every(({ isReady }) => isReady);
      forwardEvents(client, this.events, isTold);
    }
    this.events.emit('end');
  }
}

/** Reads how a node refuses a command for a key that it does not have, or that is moving. */
function refusalIn(err: unknown) {
  const message = err instanceof ErrorReply ? err.message : '';
  const [, kind, , host = '', port = ''] =
    /^(MOVED|ASK|TRYAGAIN)\b( \d+ (.*):(\d+))?/.exec(message) ?? [];
  return { kind, host, port };
}
