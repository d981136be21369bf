import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { StackError } from '../lib/errors.mjs';
import { type Job, type Load, TIMEOUT_SECONDS } from './autocannon.ts';

const SCRIPT = fileURLToPath(new URL('wrk.lua', import.meta.url));

/**
 * Generates a load with wrk.
 *
 * @throws {StackError} if wrk is missing or fails
 */
export async function runWrk({ url, connections, seconds, requests }: Job): Promise<Load> {
  const [{ path, body = '' } = { path: '/' }] = requests; // the same in all of them
  const cookies = requests.flatMap(({ cookie }) => cookie || []);
  const options = [
    ...['--threads', '2', '--connections', String(connections), '--duration', `${seconds}s`],
    ...['--timeout', `${TIMEOUT_SECONDS}s`, '--script', SCRIPT],
  ];
  try {
    const args = [...options, url + path, '--', body, ...cookies];
    const { stdout } = await promisify(execFile)('wrk', args);
    return JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
  } catch (err) {
    throw new StackError(`wrk cannot be run: ${(err as Error).message}`);
  }
}
