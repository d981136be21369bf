import { NotReplicated } from './redis-errors.ts';

/**
 * Milliseconds for the replicas. WAIT blocks its connection, so it must be much shorter than the time
 * after which Redis counts as silent.
 */
const WAIT_MS = 200;

/** The part of a client that is needed here. */
interface Sender {
  sendCommand(args: string[]): Promise<unknown>;
}

/**
 * Lets changes resolve only when replicas have them, so that a failover loses nothing that was
 * acknowledged. They reject with {@link NotReplicated} otherwise: then a repeated change is safe under
 * its idempotency key. One WAIT serves all changes that Redis has answered at the same time. It
 * follows the reply, because a script that Redis does not know is sent a second time.
 *
 * @param changes names of methods of the client
 * @see https://redis.io/docs/latest/commands/wait/
 */
export function waitForReplicas(client: Sender, changes: string[], replicas: number): void {
  let waiting: Promise<void> | undefined;
  const wait = async () => {
    await new Promise(setImmediate); // until the other replies of this tick have been read
    waiting = undefined;
    const command = ['WAIT', String(replicas), String(WAIT_MS)];
    const reached = await client.sendCommand(command);
    if (Number(reached) < replicas) throw new NotReplicated(`${reached} of ${replicas} replicas`);
  };
  const methods = client as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>;
  for (const name of changes) {
    const change = methods[name]?.bind(client);
    if (!change) throw new TypeError(`a client has no ${name}`);
    methods[name] = async (...args) => {
      const reply = await change(...args);
      waiting ??= wait();
      await waiting;
      return reply;
    };
  }
}
