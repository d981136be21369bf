// npm run observe: runs Prometheus beside a stack of `npm start`, until Ctrl-C or the end of the stack.
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { failure, StackError } from '../lib/errors.mjs';
import { wholeNumber } from '../lib/options.ts';
import { END_SIGNALS } from '../lib/terminal.mjs';
import { sendCommand } from '../stack/control-client.ts';
import { NAME_OPTION, stackFolder } from '../stack/folder.ts';
import { assertFree } from '../stack/port.ts';
import { Observer } from './observer.ts';

/** Milliseconds between two looks at which processes the stack has. */
const REFRESH_MS = 1000;

try {
  const { values } = parseArgs({
    options: { name: NAME_OPTION, port: { type: 'string', default: '9090' } },
  });
  const { name } = values;
  const port = wholeNumber('--port', values.port, 0, 65_535);
  const ask = async (words: string[], asJson = false) => {
    const { text, exitCode } = await sendCommand(name, words, asJson);
    if (exitCode !== 0) throw new StackError(text);
    return text;
  };
  const redisUrl = await ask(['redis']);
  const ps = async () => JSON.parse(await ask(['ps'], true));
  await assertFree(port, '127.0.0.1');
  const observed = { folder: stackFolder(name), redisUrl, ps };
  await using observer = await Observer.start(observed, { port, report: console.log });
  console.log(`ready ${observer.url}`);
  console.log('Press Ctrl-C to stop. The measurements are lost then.');
  const ended = new AbortController();
  for (const signal of END_SIGNALS) process.on(signal, () => ended.abort());
  while (!ended.signal.aborted) {
    try {
      await observer.refresh();
    } catch (err) {
      if (!(err instanceof StackError)) throw err;
      console.log('The stack has ended.');
      break;
    }
    await delay(REFRESH_MS, undefined, { signal: ended.signal }).catch(() => {});
  }
} catch (err) {
  const { text, exitCode } = failure(err);
  console.error(text);
  process.exitCode = exitCode;
}
