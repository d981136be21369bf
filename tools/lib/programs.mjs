// @ts-check
// Finds the programs of this machine, and installs missing ones.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { StackError } from './errors.mjs';

/**
 * PATH without the folders that npm and tools/run.mjs add, and with folders that PATH often lacks
 * for users other than root.
 */
export const FOLDERS = [
  ...(process.env.PATH ?? '')
    .split(delimiter)
    .filter((folder) => !/node_modules|shared-state.node-/.test(folder)),
  ...['/usr/sbin', '/usr/local/sbin', '/usr/local/bin', '/opt/homebrew/bin'],
];

const BROWSERS = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const CHROME_ON_MACOS = '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome';

/** The commands that install a program, by package manager. */
const INSTALL = {
  'apt-get': {
    stack: 'sudo apt-get install redis-server nginx',
    docker: 'sudo apt-get install docker.io docker-compose-v2  (Debian: docker.io docker-compose)',
    chromium: 'sudo apt-get install chromium',
    node: 'nvm install 24  (the Node of apt-get may be too old)',
  },
  dnf: {
    stack: 'sudo dnf install valkey nginx',
    docker: 'sudo dnf install moby-engine docker-compose',
    chromium: 'sudo dnf install chromium',
    node: 'nvm install 24',
  },
  apk: {
    stack: 'sudo apk add redis nginx',
    docker: 'sudo apk add docker docker-cli-compose',
    chromium: 'sudo apk add chromium',
    node: 'sudo apk add nodejs npm',
  },
  brew: {
    stack: 'brew install redis nginx',
    docker: 'brew install --cask docker, then open it once',
    chromium: 'brew install --cask google-chrome',
    node: 'brew install node',
  },
};

/**
 * Installs Debian packages. No service starts, now or when the machine boots: it would take the
 * ports 80 and 6379. A shell does all of it, so that policy-rc.d is removed even if Node is killed.
 */
const INSTALL_ON_DEBIAN = `
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
  trap 'rm -f $policy' EXIT
  trap 'exit 130' HUP INT TERM
  printf '#!/bin/sh\\nexit 101\\n' >$policy
  chmod 755 $policy
fi
install() { apt-get install --yes --no-install-recommends "$@"; }
install "$@" 2>/dev/null || { apt-get update; install "$@"; } || exit
if [ -d /run/systemd/system ]; then systemctl disable "$@" 2>/dev/null; fi
exit 0`;

/**
 * The command that installs something here, or one for each known package manager.
 *
 * @param {'stack' | 'docker' | 'chromium' | 'node'} wanted `stack` is nginx and Redis
 */
export function howToInstall(wanted, folders = FOLDERS) {
  const here = Object.entries(INSTALL).find(([manager]) => findProgram(manager, folders));
  if (here) return here[1][wanted];
  return Object.values(INSTALL)
    .map((commands) => commands[wanted])
    .join('  or  ');
}

/**
 * The path of the first of some programs that is installed.
 *
 * @param {string | string[]} names
 * @returns {string | undefined}
 */
export function findProgram(names, folders = FOLDERS) {
  const candidates = [names].flat().flatMap((name) => folders.map((folder) => join(folder, name)));
  return candidates.find(isExecutable);
}

/** @param {string} file */
function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The path of Chromium or Chrome. */
export function findBrowser(folders = FOLDERS) {
  return findProgram(BROWSERS, folders) ?? findProgram(CHROME_ON_MACOS, ['/']);
}

/**
 * The programs that a stack runs; `undefined` if one is missing.
 *
 * @typedef {{redis: string, nginx: string}} Tools
 * @returns {{[name in keyof Tools]: string | undefined}}
 */
export function lookForTools(folders = FOLDERS) {
  return {
    redis: findProgram(['redis-server', 'valkey-server'], folders),
    nginx: findProgram('nginx', folders),
  };
}

/** Whether this user may install packages of Debian or Ubuntu without a question. */
export function canInstall(folders = FOLDERS) {
  return process.getuid?.() === 0 && findProgram('apt-get', folders) !== undefined;
}

/**
 * Finds Redis (or Valkey) and nginx. As root on Debian or Ubuntu it installs them if necessary.
 *
 * @param {(line: string) => void} report
 * @param {boolean} install whether to install them
 * @returns {Tools}
 * @throws {StackError} if one is missing, with the command that installs it
 */
export function findTools(report, install = true, folders = FOLDERS) {
  let { redis, nginx } = lookForTools(folders);
  if (!(redis && nginx) && install && canInstall(folders)) {
    installOnDebian([...(redis ? [] : ['redis-server']), ...(nginx ? [] : ['nginx'])], report);
    ({ redis, nginx } = lookForTools(folders));
  }
  if (redis && nginx) return { redis, nginx };
  const command = howToInstall('stack', folders);
  throw new StackError(`Redis and nginx are needed. To install them:  ${command}`);
}

/**
 * Installs packages of Debian or Ubuntu. No service of theirs is started.
 *
 * @param {string[]} packages
 * @param {(line: string) => void} report
 * @throws {StackError} if apt-get fails
 */
export function installOnDebian(packages, report) {
  report(
    `Installing ${packages.join(' and ')} with apt-get (once); no system service is started …`,
  );
  const { status, stderr } = spawnSync('sh', ['-c', INSTALL_ON_DEBIAN, 'sh', ...packages], {
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  if (status !== 0) throw new StackError(`apt-get install failed: ${stderr.trim()}`);
}

/** What to do on Windows. */
export const ON_WINDOWS =
  'Use WSL 2: wsl --install, then run everything in its terminal. Or use Docker Desktop: docker compose up';

/** Whether this is the Linux of WSL; its kernel says so. */
export function isWsl() {
  return existsSync('/proc/version') && /microsoft/i.test(readFileSync('/proc/version', 'utf8'));
}
