import { StackError } from '../lib/errors.mjs';
import { listenProblem } from '../lib/listen.mjs';

/**
 * Below the ephemeral ports, which systems assign to outgoing connections: the port of a process
 * stays free while the process is down.
 */
const FIRST = 20_000;
const LAST = 31_999;

/** Ports given out before: their processes may not listen yet, or not at the moment. */
const given = new Set<number>();

/**
 * Finds a free port at `host`. This process never gives out a port twice.
 *
 * @throws {StackError} if no port can be had at `host`
 */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST + 1));
    if (given.has(port)) continue;
    given.add(port);
    const problem = await listenProblem(port, host);
    if (!problem) return port;
    if (!problem.isPortInUse) throw new StackError(`${problem.found}; ${problem.fix}.`);
  }
}

/** Some free ports on loopback. */
export async function freePorts(count: number): Promise<number[]> {
  const ports = [];
  while (ports.length < count) ports.push(await freePort());
  return ports;
}

/** @throws {StackError} if nginx cannot have a port */
export async function assertFree(port: number, host: string): Promise<void> {
  const problem = await listenProblem(port, host);
  if (problem?.isPortInUse) {
    throw new StackError(`Port ${problem.found}; try \`npm start -- --port 8081\`.`);
  }
  if (problem) throw new StackError(`${problem.found}; ${problem.fix}.`);
}
