import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';

/** Why this user cannot drop packets; `undefined` if it can. */
export const missingFirewall =
  spawnSync('iptables', ['--list']).status === 0
    ? undefined
    : 'only root can separate processes, with iptables';

/** Holds the rules until standard input closes. If one cannot be made, it removes those before it. */
const SCRIPT = `
  each() {
    for rule; do iptables --wait "$action" INPUT --protocol tcp $rule --jump DROP || return; done
  }
  action=--insert; each "$@" && echo && cat
  action=--delete; each "$@"`;

/** The rules for all packets between the clients with an address and some servers. */
export function between(clients: string, servers: readonly { port: number }[]): string[] {
  return servers.flatMap(({ port }) => [
    `--source ${clients} --dport ${port}`,
    `--destination ${clients} --sport ${port}`,
  ]);
}

/**
 * Drops packets until it is disposed. A shell holds the rules, so that they also end with this
 * process: after Ctrl-C or SIGKILL.
 *
 * @throws {Error} if iptables fails
 */
export async function partition(rules: readonly string[]): Promise<AsyncDisposable> {
  const shell = spawn('/bin/sh', ['-c', SCRIPT, 'partition', ...rules], {
    detached: true, // Ctrl-C in the terminal must not reach it
  });
  const ended = once(shell, 'close');
  const failure = text(shell.stderr);
  const isMade = once(shell.stdout, 'data').then(() => true);
  if (!(await Promise.race([isMade, ended.then(() => false)]))) throw new Error(await failure);
  return {
    async [Symbol.asyncDispose]() {
      shell.stdin.end();
      await ended;
    },
  };
}
