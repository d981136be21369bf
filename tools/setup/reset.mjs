// @ts-check
// npm run reset: ends all stacks of this checkout and removes what they have left. It changes no
// source file.
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { ask } from '../lib/child.mjs';
import { isAlive, processesIn, signal } from '../lib/processes.mjs';
import { ROOT } from '../lib/root.mjs';
import { findDocker, PROJECT } from './docker.mjs';
import { findStacks } from './stacks.mjs';
import { runTask } from './task.mjs';

const USAGE = 'npm run reset    ends all stacks and removes what they have left';
/** Milliseconds for a stack to end by itself, and after SIGKILL. */
const ORDERLY_MS = 15_000;
const FORCED_MS = 5000;
const POLL_MS = 50;
/** How many changed files are named. */
const NAMED = 10;

await runTask(USAGE, async (args) => {
  parseArgs({ args });
  const stacks = findStacks().filter(({ kind }) => kind === 'ours' || kind === 'left over');
  const results = await Promise.all(stacks.map(endStack));
  results.push(...removeContainers(), ...removeFiles());
  if (results.length === 0) console.log('Nothing to do.');
  reportOthers();
  reportChanges();
  process.exitCode = results.includes(false) ? 1 : 0;
});

/**
 * @param {import('./stacks.mjs').FoundStack} stack
 * @returns {Promise<boolean>} whether it has ended
 */
async function endStack({ name, folder, launcher }) {
  const isEmpty = () => processesIn(folder).length === 0;
  if (launcher) {
    const hasEnded = () => !isAlive(launcher);
    signal(launcher, 'SIGTERM');
    if (!(await becomes(hasEnded, ORDERLY_MS))) signal(launcher, 'SIGKILL'); // the watchdog ends the rest
    await becomes(hasEnded, FORCED_MS);
    await becomes(isEmpty, FORCED_MS);
  }
  for (const pid of processesIn(folder)) signal(pid, 'SIGKILL');
  if ((await becomes(isEmpty, FORCED_MS)) && !(launcher && isAlive(launcher))) {
    rmSync(folder, { recursive: true, force: true });
    console.log(
      launcher ? `Ended the stack "${name}".` : `Removed the rest of the stack "${name}".`,
    );
    return true;
  }
  const pids = [launcher, ...processesIn(folder)].filter(Boolean).join(' ');
  console.log(`Could not end the stack "${name}"; end it with: kill -9 ${pids}`);
  return false;
}

/**
 * @param {() => boolean} check
 * @param {number} ms
 */
async function becomes(check, ms) {
  const until = Date.now() + ms;
  while (!check()) {
    if (Date.now() > until) return false;
    await delay(POLL_MS);
  }
  return true;
}

/**
 * Removes containers, networks and volumes of the project and its lessons. It finds them by their
 * labels, because docker-compose.yml may have changed.
 */
function removeContainers() {
  if (!findDocker().engine) return [];
  const label = 'com.docker.compose.project';
  const kinds = [
    { what: 'container', list: ['ps', '--all'], id: '{{.ID}}', remove: ['rm', '-f', '-v'] },
    { what: 'network', list: ['network', 'ls'], id: '{{.ID}}', remove: ['network', 'rm'] },
    { what: 'volume', list: ['volume', 'ls'], id: '{{.Name}}', remove: ['volume', 'rm', '-f'] },
  ];
  return kinds.flatMap(({ what, list, id, remove }) => {
    const format = `${id} {{.Label "${label}"}}`;
    const ids = ask('docker', [...list, '--filter', `label=${label}`, '--format', format])
      .stdout.split('\n')
      .map((line) => line.split(' '))
      .filter(([, project = '']) => project === PROJECT || project.startsWith(`${PROJECT}-lesson`))
      .map(([first = '']) => first);
    if (ids.length === 0) return [];
    const { ok, said } = ask('docker', [...remove, ...ids]);
    const things = `${ids.length} ${what}${ids.length > 1 ? 's' : ''}`;
    console.log(ok ? `Removed ${things}.` : `Could not remove ${things}: ${said.split('\n')[0]}`);
    return [ok];
  });
}

/** Removes results of load tests and the cookie file of the examples in the README. */
function removeFiles() {
  const results = readdirSync(join(ROOT, 'loadtest/results'))
    .filter((name) => name !== '.gitignore')
    .map((name) => join('loadtest/results', name));
  const files = [...results, ...readdirSync(ROOT).filter((name) => name === 'cookies')];
  for (const name of files) rmSync(join(ROOT, name), { recursive: true });
  if (files.length > 0) console.log(`Removed ${files.join(', ')}.`);
  return files.map(() => true);
}

function reportOthers() {
  for (const { name, kind, launcher } of findStacks()) {
    if (kind !== 'test' && kind !== 'other checkout') continue;
    const owner = kind === 'test' ? 'a test run' : 'another checkout';
    console.log(`The stack "${name}" of ${owner} keeps running; end it with: kill ${launcher}`);
  }
}

function reportChanges() {
  const { ok, stdout } = ask('git', ['status', '--porcelain', '--', '.']);
  if (!ok || !stdout) return;
  const files = stdout.split('\n').map((line) => line.replace(/^\s*\S+\s+/, ''));
  const more = files.length > NAMED ? ` and ${files.length - NAMED} more` : '';
  console.log(`Your changes stay: ${files.slice(0, NAMED).join(', ')}${more}`);
  console.log(
    '  To put them away: git stash --include-untracked   (to restore them: git stash pop)',
  );
}
