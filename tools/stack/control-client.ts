import { once } from 'node:events';
import { request } from 'node:http';
import { json } from 'node:stream/consumers';
import { type CommandResult, StackError, UsageError } from '../lib/errors.mjs';
import { controlSocket } from './folder.ts';

/**
 * Sends a command to a running stack.
 *
 * @param name of the stack
 * @param words the command and its arguments
 * @param asJson whether the text of `ps` is JSON
 * @throws {StackError} if no stack of that name is running
 */
export async function sendCommand(
  name: string,
  words: string[],
  asJson = false,
): Promise<CommandResult> {
  const req = request({ socketPath: controlSocket(name), method: 'POST' });
  req.end(JSON.stringify({ words, asJson }));
  try {
    const [res] = await once(req, 'response');
    return (await json(res)) as CommandResult;
  } catch (err) {
    const stack = `stack named "${name}"`;
    if (['ENOENT', 'ECONNREFUSED'].includes((err as NodeJS.ErrnoException).code ?? '')) {
      throw new UsageError(`No ${stack} is running; start one with \`npm start\`.`);
    }
    throw new StackError(`The ${stack} has ended before it answered.`);
  }
}
