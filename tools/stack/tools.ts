import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { StackError } from '../lib/errors.ts';

/** The programs of other projects that a stack runs. */
export interface Tools {
  redis: string;
  nginx: string;
}

/** What each of them is called, as a program and as Debian's package. */
const NEEDED = {
  redis: { programs: ['redis-server', 'valkey-server'], debian: 'redis-server' },
  nginx: { programs: ['nginx'], debian: 'nginx' },
};

/** PATH, and what users other than root often lack in theirs. */
const FOLDERS = [
  ...(process.env.PATH ?? '').split(delimiter),
  ...['/usr/sbin', '/usr/local/sbin', '/usr/local/bin', '/opt/homebrew/bin'],
];

/** What to type, by package manager. */
const INSTALL = {
  'apt-get': 'sudo apt-get install redis-server nginx',
  dnf: 'sudo dnf install valkey nginx',
  apk: 'sudo apk add redis nginx',
  brew: 'brew install redis nginx',
};

/** Debian asks this program before it starts a service; exit code 101 forbids it. */
const POLICY = '/usr/sbin/policy-rc.d';

/**
 * Finds Redis (or Valkey) and nginx. As root on Debian or Ubuntu it installs what is missing.
 *
 * @throws {StackError} where something is missing, with the command that installs it
 */
export function findTools(
  report: (line: string) => void,
  install = true,
  folders = FOLDERS,
): Tools {
  const has = (program: string) => findProgram(program, folders) !== undefined;
  let { found, missing } = lookForTools(folders);
  if (install && missing.length > 0 && process.getuid?.() === 0 && has('apt-get')) {
    report(`installing ${missing.join(' and ')} with apt-get; no system service is started`);
    installOnDebian(missing);
    ({ found, missing } = lookForTools(folders));
  }
  if (missing.length === 0) return found;
  const manager = Object.entries(INSTALL).find(([program]) => has(program));
  const commands = manager ? manager[1] : Object.values(INSTALL).join('  or  ');
  throw new StackError(`Redis and nginx are needed. To install them:  ${commands}`);
}

function lookForTools(folders: string[]): { found: Tools; missing: string[] } {
  const look = ({ programs }: { programs: string[] }) =>
    programs.map((program) => findProgram(program, folders)).find(Boolean);
  const found = { redis: look(NEEDED.redis) ?? '', nginx: look(NEEDED.nginx) ?? '' };
  const missing = [NEEDED.redis, NEEDED.nginx].filter((tool) => !look(tool));
  return { found, missing: missing.map(({ debian }) => debian) };
}

/** Where a program is; `undefined` where it is in none of the folders. */
export function findProgram(name: string, folders = FOLDERS): string | undefined {
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * Installs packages of Debian, and sees to it that no service of theirs runs.
 *
 * @throws {StackError} where apt-get cannot
 */
export function installOnDebian(packages: string[]): void {
  const run = (command: string, ...args: string[]) =>
    spawnSync(command, args, {
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
      encoding: 'utf8',
    });
  const install = () => run('apt-get', 'install', '--yes', '--no-install-recommends', ...packages);
  const forbidden = existsSync(POLICY);
  if (!forbidden) writeFileSync(POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    if (install().status !== 0) {
      run('apt-get', 'update');
      const { status, stderr } = install();
      if (status !== 0) throw new StackError(`apt-get install failed: ${stderr.trim()}`);
    }
  } finally {
    if (!forbidden) rmSync(POLICY);
  }
  // Nor at the next start of the machine, where they would take the ports 80 and 6379.
  if (existsSync('/run/systemd/system')) run('systemctl', 'disable', ...packages);
}
