import { once } from 'node:events';
import { chmodSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { json } from 'node:stream/consumers';
import { failure, quoted, UsageError } from '../lib/errors.mjs';
import { controlSocket } from './folder.ts';
import type { ProcessStatus } from './managed-process.ts';
import { settingsOf } from './settings.ts';
import type { Stack } from './stack.ts';

/** The commands for one process: methods of ManagedProcess. */
const ACTIONS = ['kill', 'stop', 'start', 'restart', 'pause', 'resume'] as const;

/** What `npm run stack` and the dashboard send. */
interface Request {
  words: string[];
  asJson?: boolean;
}

/** Accepts the commands of `npm run stack` and of the dashboard, and runs them one after the other. */
export async function startControlServer(name: string, stack: Stack): Promise<Server> {
  let last: Promise<unknown> = Promise.resolve();
  const server = createServer(async (req, res) => {
    const body = await json(req).catch(() => undefined); // before the turn: the client may not wait
    last = last
      .then(async () => runCommand(stack, checked(body)))
      .then((text) => ({ text, exitCode: 0 }), failure)
      .then((result) => res.end(JSON.stringify(result)));
  });
  server.listen(controlSocket(name));
  await once(server, 'listening');
  chmodSync(controlSocket(name), 0o600);
  return server;
}

/** @throws {UsageError} if the body is not a {@link Request} */
function checked(body: unknown): Request {
  const { words, asJson } = Object(body) as Request;
  if (Array.isArray(words) && words.every((word) => typeof word === 'string')) {
    return { words, asJson: asJson === true };
  }
  throw new UsageError('The command is not readable; use `npm run stack`.');
}

/** Runs one command and returns the text to print. */
async function runCommand(stack: Stack, { words, asJson }: Request): Promise<string> {
  const [command = '', argument = '', ...rest] = words;
  if (command === 'set') {
    const settings = words.slice(1);
    await stack.set(await settingsOf(command, settings.length > 0 ? settings : ['']));
    return `in force: ${settings.join(' ')}`;
  }
  if (rest.length > 0)
    throw new UsageError(`\`${command}\` takes one argument; remove ${quoted(String(rest))}.`);
  if (command === 'ps' || command === 'redis') {
    if (argument) throw new UsageError(`\`${command}\` takes no name.`);
    if (command === 'redis') return stack.topology.primaryUrl();
    const statuses = await stack.ps();
    return asJson ? JSON.stringify(statuses) : table(statuses);
  }
  if (command === 'scale') {
    const isNumber = /^\d+$/.test(argument);
    if (!isNumber) throw new UsageError('`scale` expects a number, for example `scale 3`.');
    await stack.scale(Number(argument));
    return `${argument} instances`;
  }
  const action = ACTIONS.find((known) => known === command);
  if (!action)
    throw new UsageError(`There is no command ${quoted(command)}; see \`npm run stack\`.`);
  const example = `${action} app-1`;
  if (!argument) throw new UsageError(`\`${action}\` expects a name, for example \`${example}\`.`);
  const process = stack.process(argument);
  await process[action]();
  return `${argument} ${(await process.status()).state}`;
}

function table(statuses: ProcessStatus[]): string {
  const cell = (value: unknown) => String(value ?? '-').padEnd(10);
  return [{ name: 'NAME', pid: 'PID', port: 'PORT', state: 'STATE' }, ...statuses]
    .map(({ name, pid, port, state }) => `${cell(name)} ${cell(pid)} ${cell(port)} ${state}`)
    .join('\n');
}
