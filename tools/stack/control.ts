// npm run stack -- COMMAND: tells a running stack what to do, from a second terminal.
import { failure, type Outcome, USAGE } from './commands.ts';
import { askStack } from './control-socket.ts';
import { takeName } from './name.ts';

const { text, exitCode } = await outcomeOf(process.argv.slice(2));
(exitCode === 0 ? process.stdout : process.stderr).write(`${text}\n`);
process.exitCode = exitCode;

async function outcomeOf(words: string[]): Promise<Outcome> {
  try {
    const { name, rest } = takeName(words);
    if (rest.length === 0 || rest.includes('--help')) return { text: USAGE, exitCode: 0 };
    return await askStack(name, rest);
  } catch (err) {
    return failure(err);
  }
}
