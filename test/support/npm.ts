import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { eventually } from '../../tools/lib/eventually.ts';
import { ROOT } from '../../tools/lib/root.mjs';
import { type Ended, Running } from '../../tools/lib/running.ts';

/** A name for a stack that no other has. */
export function newName(): string {
  return `test-${randomBytes(4).toString('hex')}`;
}

/** npm start -- WORDS */
export function npmStart(words: string[], env: NodeJS.ProcessEnv = {}): Running {
  return new Running('npm', ['start', '--silent', '--', ...words], env);
}

/** npm run stack -- WORDS, without npm in between. */
export async function npmRunStack(...words: string[]): Promise<Ended> {
  const cli = join(ROOT, 'tools/stack/cli.ts');
  await using running = new Running(process.execPath, [cli, ...words]);
  return await running.ended;
}

/** Resolves to the address once the stack says that it is ready, within `ms` milliseconds. */
export async function ready(running: Running, ms = 20_000): Promise<string> {
  return eventually(() => {
    const [, url] = /^ready (https?:\/\/localhost:\d+) instances=\d+$/m.exec(running.stdout) ?? [];
    if (!url) throw new Error(`not ready: ${running.stdout}`);
    return url;
  }, ms);
}
