// @ts-check
// npm run reset: brings everything back to the first minute. It touches no source file.
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { findDocker, PROJECT } from './docker.mjs';
import { ask, ROOT } from './programs.mjs';
import { findStacks, isAlive, processesIn } from './stacks.mjs';

/** Milliseconds for a stack to end in order, and after that by force. */
const ORDERLY_MS = 15_000;
const FORCED_MS = 5000;
const POLL_MS = 50;
/** How many changed files are named. */
const NAMED = 10;

if (process.argv.length > 2) {
  console.error('npm run reset wants no words: it ends all stacks and removes what they left');
  process.exit(2);
}
const done = [await endStacks(), removeContainers(), removeResults()].flat();
if (done.length === 0) console.log('nothing to do');
tellOthers();
tellChanges();
process.exitCode = done.includes(false) ? 1 : 0;

/**
 * Ends the stacks of this checkout and removes the folders that others have left.
 *
 * @returns {Promise<boolean[]>} for each whether it has ended
 */
async function endStacks() {
  const mine = findStacks().filter(({ kind }) => kind === 'ours' || kind === 'left over');
  return Promise.all(mine.map(endStack));
}

/** @param {import('./stacks.mjs').FoundStack} stack */
async function endStack({ name, folder, launcher }) {
  if (launcher) {
    const gone = () => !isAlive(launcher);
    signal(launcher, 'SIGTERM');
    if (!(await becomes(gone, ORDERLY_MS))) signal(launcher, 'SIGKILL'); // its watchdog ends the rest
    await becomes(gone, FORCED_MS);
    await becomes(() => processesIn(folder).length === 0, FORCED_MS);
  }
  for (const pid of processesIn(folder)) signal(pid, 'SIGKILL');
  const ended = await becomes(() => processesIn(folder).length === 0, FORCED_MS);
  if (ended && !(launcher && isAlive(launcher))) {
    rmSync(folder, { recursive: true, force: true });
    console.log(launcher ? `ended the stack "${name}"` : `removed what the stack "${name}" left`);
    return true;
  }
  const pids = [launcher, ...processesIn(folder)].filter(Boolean).join(' ');
  console.log(`could not end the stack "${name}"; by hand: kill -9 ${pids}`);
  return false;
}

/**
 * @param {number} pid
 * @param {NodeJS.Signals} name
 */
function signal(pid, name) {
  try {
    process.kill(pid, name);
  } catch {
    // it has ended by itself, or may not be ended: what is left is looked for afterwards
  }
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

/** Says which stacks stay. */
function tellOthers() {
  for (const { name, kind, launcher } of findStacks()) {
    if (kind !== 'a test' && kind !== 'another') continue;
    const whose = kind === 'a test' ? 'a test run' : 'another checkout';
    console.log(`left the stack "${name}" of ${whose} alone; to end it: kill ${launcher}`);
  }
}

/**
 * Removes containers, networks and volumes of the project and of the lessons, by their labels, so
 * that no compose file is needed.
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
      .filter(([, project = '']) => isOurs(project))
      .map(([first = '']) => first);
    if (ids.length === 0) return [];
    const { ok, said } = ask('docker', [...remove, ...ids]);
    const things = `${ids.length} ${what}${ids.length > 1 ? 's' : ''}`;
    console.log(ok ? `removed ${things}` : `could not remove ${things}: ${said.split('\n')[0]}`);
    return [ok];
  });
}

/** @param {string} project */
function isOurs(project) {
  return project === PROJECT || project.startsWith(`${PROJECT}-lesson`);
}

/** Removes what load tests and the examples of the README have written. */
function removeResults() {
  const folder = join(ROOT, 'loadtest/results');
  const results = readdirSync(folder).filter((name) => name !== '.gitignore');
  const cookies = readdirSync(ROOT).filter((name) => name === 'cookies');
  for (const name of results) rmSync(join(folder, name), { recursive: true });
  for (const name of cookies) rmSync(join(ROOT, name));
  if (results.length > 0) console.log(`removed ${results.length} files in loadtest/results`);
  if (cookies.length > 0) console.log('removed the file "cookies"');
  return [...results, ...cookies].map(() => true);
}

/** Says which files differ from the last commit, and what would undo that. */
function tellChanges() {
  const { ok, stdout } = ask('git', ['status', '--porcelain', '--', '.']);
  if (!ok || !stdout) return;
  const files = stdout.split('\n').map((line) => line.replace(/^\s*\S+\s+/, ''));
  const more = files.length > NAMED ? ` and ${files.length - NAMED} more` : '';
  console.log(`your changes stay: ${files.slice(0, NAMED).join(', ')}${more}`);
  console.log('  to put them away:  git stash --include-untracked   (back: git stash pop)');
}
