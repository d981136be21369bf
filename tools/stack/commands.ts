import { parseArgs } from 'node:util';
import { StackError, UsageError } from '../lib/errors.ts';
import type { Part, Status } from './part.ts';
import type { Stack } from './stack.ts';

/** What `npm run stack` says without a word. */
export const USAGE = `npm run stack -- COMMAND [--name NAME]
  ps [--json]    the parts: name, pid, port, state
  scale N        run N instances
  kill NAME      end a part at once (SIGKILL), as a crash would
  stop NAME      let a part end in order (SIGTERM)
  start NAME     start a part that is dead or stopped
  restart NAME   stop, then start
  pause NAME     freeze a part (SIGSTOP), as a hang would
  resume NAME    let it go on
NAME is nginx, redis, dashboard, app-1, app-2 ...`;

/** What can be done to one part. */
const ACTIONS: Record<string, (part: Part) => Promise<void> | void> = {
  kill: (part) => part.kill(),
  stop: (part) => part.stop(),
  start: (part) => part.start(),
  restart: async (part) => {
    if (part.isRunning) await part.stop();
    await part.start();
  },
  pause: (part) => part.pause(),
  resume: (part) => part.resume(),
};

/**
 * Does what somebody typed after `npm run stack --`.
 *
 * @returns what to print
 * @throws {UsageError} where the words mean nothing
 * @throws {StackError} where it cannot be done
 */
export async function runCommand(stack: Stack, words: string[]): Promise<string> {
  const { values, positionals } = parseArgs({
    args: words,
    options: { json: { type: 'boolean', default: false } },
    allowPositionals: true,
  });
  const [command = '', argument, ...rest] = positionals;
  if (rest.length > 0) throw new UsageError(`too many words: ${rest.join(' ')}`);

  if (command === 'ps') {
    if (argument !== undefined) throw new UsageError('ps wants no name');
    const statuses = await stack.ps();
    return values.json ? JSON.stringify(statuses) : table(statuses);
  }
  if (command === 'scale') {
    if (!/^\d+$/.test(argument ?? '')) throw new UsageError('scale wants a number: scale 3');
    await stack.scale(Number(argument));
    return `${stack.instances.length} instances`;
  }
  const action = Object.hasOwn(ACTIONS, command) ? ACTIONS[command] : undefined;
  if (!action) throw new UsageError(`there is no command "${command}"; try: npm run stack`);
  if (argument === undefined) throw new UsageError(`${command} wants a name: ${command} app-1`);
  const part = stack.part(argument);
  await action(part);
  const { name, state } = await part.status();
  return `${name} ${state}`;
}

function table(statuses: Status[]): string {
  const rows = statuses.map(({ name, pid, port, state }) => [name, pid ?? '-', port, state]);
  return [['NAME', 'PID', 'PORT', 'STATE'], ...rows]
    .map((row) =>
      row
        .map((cell) => String(cell).padEnd(8))
        .join(' ')
        .trimEnd(),
    )
    .join('\n');
}

/** How a command ends: what it prints, and the exit code of the process. */
export interface Outcome {
  text: string;
  /** 0: done. 1: it cannot be done now. 2: the words mean nothing. */
  exitCode: 0 | 1 | 2;
}

/** The outcome of a failure, in one line. */
export function failure(err: unknown): Outcome {
  const { message, code } = err as NodeJS.ErrnoException;
  const misused = err instanceof UsageError || code?.startsWith('ERR_PARSE_ARGS');
  if (misused || err instanceof StackError) {
    return { text: message.replaceAll('\n', ' '), exitCode: misused ? 2 : 1 };
  }
  return { text: (err as Error).stack ?? message, exitCode: 1 };
}
