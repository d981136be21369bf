import { once } from 'node:events';
import { chmodSync } from 'node:fs';
import { createServer, request, type Server } from 'node:http';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { UsageError } from '../lib/errors.ts';
import { failure, type Outcome, runCommand } from './commands.ts';
import { folderOf, type Stack } from './stack.ts';

function socketOf(name: string): string {
  return join(folderOf(name), 'control.sock');
}

/** Lets `npm run stack` tell a stack what to do: one command at a time, in the order of their coming. */
export async function listenForCommands(name: string, stack: Stack): Promise<Server> {
  let last: Promise<unknown> = Promise.resolve();
  const server = createServer((req, res) => {
    last = last.then(async () => {
      const outcome = await run(stack, (await json(req)) as string[]);
      res.end(JSON.stringify(outcome));
    });
  });
  server.listen(socketOf(name));
  await once(server, 'listening');
  chmodSync(socketOf(name), 0o600);
  return server;
}

async function run(stack: Stack, words: string[]): Promise<Outcome> {
  try {
    return { text: await runCommand(stack, words), exitCode: 0 };
  } catch (err) {
    return failure(err);
  }
}

/**
 * Sends words to the stack of that name.
 *
 * @throws {UsageError} where no such stack runs
 */
export async function askStack(name: string, words: string[]): Promise<Outcome> {
  const req = request({ socketPath: socketOf(name), method: 'POST' });
  req.end(JSON.stringify(words));
  try {
    const [res] = await once(req, 'response');
    return (await json(res)) as Outcome;
  } catch {
    throw new UsageError(`no stack called "${name}" is running; start one: npm start`);
  }
}
