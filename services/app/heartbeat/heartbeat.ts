import { hostname } from 'node:os';
import type { CommonConfig } from '../../shared/process/config.ts';
import { externalAddress } from '../../shared/process/container-name.ts';
import { isRedisUnavailable } from '../../shared/process/redis-errors.ts';
import type { ServiceContext } from '../../shared/process/service.ts';
import { HEARTBEAT_MS, type InstanceState } from './record.ts';
import type { Faults, HeartbeatRedis } from './scripts.ts';

/** Milliseconds in which an instance is new: nginx may not know it yet. */
const JOINING_MS = 2000;

/**
 * Makes an instance known: it claims a name in Redis, unless it has one, and renews its record
 * a few times a second until it shuts down.
 *
 * @param applyFaults is called with the faults that Redis holds for this instance
 * @returns resolves when the instance has its name
 */
export function startHeartbeat(
  context: ServiceContext<CommonConfig>,
  redis: HeartbeatRedis,
  applyFaults: (faults: Faults) => void,
): Promise<void> {
  const { config, instance, log, listening, draining, onShutdown } = context;
  const { promise: named, resolve: setNamed } = Promise.withResolvers<void>();
  const isConfigured = config.INSTANCE !== undefined;
  if (isConfigured) setNamed();
  // Differs for each process, but not for a restarted container.
  const owner = `${hostname()}:${process.pid}`;
  const startedAt = performance.now();
  let address = '';
  let hasName = isConfigured;
  let isFirst = true;
  let lastFailure = '';
  let inProgress: Promise<void> | undefined;

  const stateNow = (): InstanceState => {
    if (draining.aborted) return 'draining';
    return performance.now() - startedAt < JOINING_MS ? 'joining' : 'ready';
  };
  const send = async (): Promise<void> => {
    if (!hasName) {
      instance.name = await redis.claimName(owner);
      hasName = true;
      setNamed();
    }
    if (address === '') return;
    const record = { name: instance.name, owner, address, state: stateNow() };
    const faults = await redis.heartbeat(record, isConfigured);
    lastFailure = '';
    if (faults === null) {
      hasName = false; // the record expired, and another instance has claimed the name
      return send();
    }
    // Ignore a command that was queued before our first heartbeat: it was for the previous process.
    applyFaults(isFirst ? { ...faults, command: null } : faults);
    isFirst = false;
  };
  const logFailure = (err: Error) => {
    // The requests that fail log an outage.
    if (isRedisUnavailable(err) || err.message === lastFailure) return;
    lastFailure = err.message;
    log.warn({ reason: err.message }, 'heartbeat failed');
  };
  const beat = () => {
    if (!redis.isReady) return;
    inProgress ??= send()
      .catch(logFailure)
      .finally(() => {
        inProgress = undefined;
      });
  };

  const timer = setInterval(beat, HEARTBEAT_MS).unref();
  redis.on('ready', beat);
  draining.addEventListener('abort', beat);
  void listening.then((port) => {
    address = `${reachableHost(config.HOST)}:${port}`;
    beat();
  });
  onShutdown(async () => {
    clearInterval(timer);
    await inProgress;
    if (hasName) await redis.releaseName(instance.name, owner);
  });
  return named;
}

/** The address at which others reach a server that listens on `host`. */
function reachableHost(host: string): string {
  if (host === '0.0.0.0' || host === '::') return externalAddress();
  return host.includes(':') ? `[${host}]` : host;
}
