import { hostname, networkInterfaces } from 'node:os';
import type { RedisClientType } from 'redis';
import { isRedisUnavailable } from '../../shared/process/redis-errors.ts';
import type { ServiceContext } from '../../shared/process/service.ts';
import { HEARTBEAT_MS, type InstanceState } from './record.ts';
import type { Faults, heartbeatScripts } from './scripts.ts';

/** Milliseconds in which an instance is new: nginx may not know it yet. */
const JOINING_MS = 2000;

/** What a heartbeat needs. */
export interface HeartbeatOptions
  extends Pick<
    ServiceContext,
    'config' | 'instance' | 'listening' | 'draining' | 'onShutdown' | 'log'
  > {
  redis: RedisClientType<Record<never, never>, Record<never, never>, typeof heartbeatScripts>;
  /** Is called with the faults that Redis holds for this instance. */
  applyFaults: (faults: Faults) => void;
}

/** Makes an instance known: it claims a name in Redis and renews its record a few times a second. */
export class Heartbeat {
  /** Resolves when the instance has its name. */
  readonly named: Promise<void>;
  #options: HeartbeatOptions;
  #address = '';
  #startedAt = performance.now();
  #hasName: boolean;
  #setNamed: () => void;
  /** Differs for each process, but not for a restarted container. */
  #owner = `${hostname()}:${process.pid}`;
  #inProgress: Promise<void> | undefined;
  #isFirst = true;
  #lastFailure = '';

  constructor(options: HeartbeatOptions) {
    const { config, instance, redis, listening, draining, onShutdown } = options;
    this.#options = options;
    this.#hasName = config.INSTANCE !== undefined;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.named = promise;
    this.#setNamed = resolve;
    if (this.#hasName) resolve();

    const beat = () => this.#beat();
    const timer = setInterval(beat, HEARTBEAT_MS).unref();
    redis.on('ready', beat);
    draining.addEventListener('abort', beat);
    listening.then((port) => {
      this.#address = `${reachableHost(config.HOST)}:${port}`;
      beat();
    });
    onShutdown(async () => {
      clearInterval(timer);
      await this.#inProgress;
      if (this.#hasName) await redis.releaseName(instance.name, this.#owner);
    });
  }

  get #state(): InstanceState {
    if (this.#options.draining.aborted) return 'draining';
    return performance.now() - this.#startedAt < JOINING_MS ? 'joining' : 'ready';
  }

  #beat(): void {
    if (!this.#options.redis.isReady) return;
    this.#inProgress ??= this.#send()
      .catch((err) => this.#logFailure(err))
      .finally(() => {
        this.#inProgress = undefined;
      });
  }

  async #send(): Promise<void> {
    const { config, redis, instance, applyFaults } = this.#options;
    if (!this.#hasName) {
      instance.name = await redis.claimName(this.#owner);
      this.#hasName = true;
      this.#setNamed();
    }
    if (this.#address === '') return;
    const record = {
      name: instance.name,
      owner: this.#owner,
      address: this.#address,
      state: this.#state,
    };
    const faults = await redis.heartbeat(record, config.INSTANCE !== undefined);
    this.#lastFailure = '';
    if (faults === null) {
      this.#hasName = false; // the lease expired, and another instance has claimed the name
      return this.#send();
    }
    // Ignore a command that was queued before our first heartbeat: it was for the previous process.
    applyFaults(this.#isFirst ? { ...faults, command: null } : faults);
    this.#isFirst = false;
  }

  /** Outages are logged by the requests that fail. */
  #logFailure(err: Error): void {
    if (isRedisUnavailable(err) || err.message === this.#lastFailure) return;
    this.#lastFailure = err.message;
    this.#options.log.warn({ reason: err.message }, 'heartbeat failed');
  }
}

/** The address by which others reach a server that listens on `host`. */
function reachableHost(host: string): string {
  if (host !== '0.0.0.0' && host !== '::') return host.includes(':') ? `[${host}]` : host;
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return (
    addresses.find(({ internal, family }) => !internal && family === 'IPv4')?.address ?? '127.0.0.1'
  );
}
