// npm run stack -- COMMAND: controls a running stack from a second terminal.
import { parseArgs } from 'node:util';
import { type CommandResult, failure } from '../lib/errors.mjs';
import { sendCommand } from './control-client.ts';
import { NAME_OPTION } from './folder.ts';

const USAGE = `npm run stack -- COMMAND [--name STACK]
  ps [--json]    list the processes: name, pid, port, state
  redis          print the URL of Redis, for redis-cli -u
  scale N        run N instances
  set KEY=VALUE  set environment variables of the services and restart these;
                 an empty value is the default
  kill NAME      end a process at once (SIGKILL), like a crash
  stop NAME      shut a process down in order (SIGTERM)
  start NAME     start a process that is dead or stopped
  restart NAME   stop, then start
  pause NAME     freeze a process (SIGSTOP), like a hang
  resume NAME    continue a paused process (SIGCONT)
NAME is nginx, redis, dashboard, app-1, app-2 ...; with --redis also redis-1, sentinel-1 ...`;

const { text, exitCode } = await main().catch(failure);
(exitCode === 0 ? process.stdout : process.stderr).write(`${text}\n`);
process.exitCode = exitCode;

async function main(): Promise<CommandResult> {
  const { values, positionals } = parseArgs({
    options: { name: NAME_OPTION, json: { type: 'boolean' }, help: { type: 'boolean' } },
    allowPositionals: true,
  });
  if (values.help || positionals.length === 0) return { text: USAGE, exitCode: 0 };
  return sendCommand(values.name, positionals, values.json);
}
