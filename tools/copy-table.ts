// Prints the table "What to copy". With --write it puts the table into README.md.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, posix, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { ROOT } from './lib/root.mjs';

/** Something worth copying into another program. Paths are relative to the project's folder. */
export interface Piece {
  /** A file, or a folder of which `entries` are what a program imports. */
  path: string;
  entries: string[];
  /** What it is for. */
  purpose: string;
}

/** All that comes with a piece. */
export interface Closure {
  /** The files, the entries among them, in alphabetical order. */
  files: string[];
  /** Lines of these files without comments and blank lines. */
  lines: number;
  /** What `npm install` needs. */
  packages: string[];
}

const HTTP = 'services/shared/http/';
const SESSION = 'services/shared/session/';
const USER_SESSIONS = 'services/shared/user/user-sessions.ts';
/** Optional: they make the sessions faster. */
const FASTER = ['before-loading.ts', 'verified-cookies.ts'];
const OPTION = 'With `before-loading.ts`, one round trip to Redis instead of two';

const HTTP_PURPOSES: Record<string, string> = {
  'deadline.ts': 'Every request gets its reply in time, or 503',
  'express.ts': 'Express with the settings for one proxy in front',
  'health.ts': 'Liveness and readiness',
  'idempotency.ts': 'A retried request changes something once',
  'json-body.ts': 'JSON bodies checked by a schema',
  'no-speculation.ts': 'No prefetch of a route that changes something',
  'preferred-type.ts': 'Text or JSON, as the client prefers',
  'problem.ts': 'Errors as problem documents (RFC 9457)',
  'rate-limit.ts': 'A limit of requests that all instances share',
  'reply-headers.ts': 'Security headers, the instance and the request ID',
  'same-origin.ts': 'No requests from other sites (CSRF)',
};

/** The rows of the table. */
const rows: readonly Piece[] = [
  file('services/minimal/main.ts', 'A session and an exact counter in Redis, in one file'),
  ...filesOf(HTTP).map((path) => file(path, purposeOf(basename(path)))),
  {
    path: SESSION,
    entries: filesOf(SESSION).filter((path) => !FASTER.includes(basename(path))),
    purpose: `Sessions in Redis: login, views, cart and nickname, with no lost update. ${OPTION}`,
  },
  {
    path: USER_SESSIONS,
    entries: [USER_SESSIONS, `${SESSION}session.ts`, `${SESSION}store.ts`],
    purpose: 'Log out everywhere: the sessions of each user',
  },
  file('services/app/cache/cache.ts', 'Cache-aside in Redis: one load for all instances'),
  file('services/shared/process/redis.ts', 'A Redis client that never hangs'),
  file('services/shared/process/server.ts', 'An HTTP server that finishes requests before it ends'),
  file(
    'services/shared/process/service.ts',
    'Settings, log, Redis, server and shutdown in one call',
  ),
];

/** All that is worth copying: the rows of the table, and the option of the sessions. */
export const pieces: readonly Piece[] = [
  ...rows,
  { path: `${SESSION}before-loading.ts`, entries: filesOf(SESSION), purpose: OPTION },
];

function filesOf(folder: string): string[] {
  return readdirSync(join(ROOT, folder)).map((name) => folder + name);
}

function file(path: string, purpose: string): Piece {
  return { path, entries: [path], purpose };
}

function purposeOf(name: string): string {
  const purpose = HTTP_PURPOSES[name];
  if (!purpose) throw new Error(`${HTTP}${name} has no purpose in tools/copy-table.ts`);
  return purpose;
}

/** The modules that a file imports or re-exports, types included, as they are written there. */
export function importsOf(path: string): string[] {
  const code = codeOf(path);
  const statements = /^\s*(?:import|export)\b(?:[^;'"]*?\bfrom)?\s*['"]([^'"]+)['"]/gm;
  const calls = /\bimport\(\s*['"]([^'"]+)['"]/g;
  return [...code.matchAll(statements), ...code.matchAll(calls)].map(([, name]) => name as string);
}

/** The files of the project that a file imports. */
export function filesImportedBy(path: string): string[] {
  const relatives = importsOf(path).filter((name) => name.startsWith('.'));
  return relatives.map((name) => posix.join(dirname(path), name));
}

/** Follows the imports of `entries` to the end. */
export function closureOf(entries: string[]): Closure {
  const files = new Set(entries);
  for (const path of files) for (const imported of filesImportedBy(path)) files.add(imported);
  const modules = [...files].flatMap(importsOf);
  const packages = modules.filter((name) => !/^(\.|node:)/.test(name)).map(packageOf);
  return {
    files: [...files].sort(),
    lines: [...files].reduce((sum, path) => sum + codeOf(path).split('\n').length, 0),
    packages: [...new Set(packages)].sort(),
  };
}

/** `@scope/name/file` and `name/file` without the file. */
function packageOf(module: string): string {
  return module.split('/', module.startsWith('@') ? 2 : 1).join('/');
}

/** A file without the lines that are comments or blank. */
function codeOf(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8')
    .replace(/^[ \t]*\/\*[\s\S]*?\*\/[ \t]*$/gm, '')
    .replace(/^[ \t]*\/\/.*$/gm, '')
    .replace(/^\s*\n/gm, '')
    .trimEnd();
}

/** The table "What to copy", in Markdown. */
export function copyTable(): string {
  const cellsOf = rows.map(({ path, entries, purpose }) => {
    const { files, lines, packages } = closureOf(entries);
    const folder = path.endsWith('/') ? path : dirname(path);
    const others = files.filter((name) => name !== path).map((name) => relative(folder, name));
    return [
      `[${path.replace(/^services\//, '')}](${path})`,
      purpose,
      list(others),
      lines,
      list(packages),
    ];
  });
  const head = ['File', 'What it is for', 'Comes with', 'Lines', 'Packages'];
  const cells = [head, head.map(() => '---'), ...cellsOf];
  return cells.map((row) => `| ${row.join(' | ')} |`).join('\n');
}

function list(names: string[]): string {
  return names.map((name) => `\`${name}\``).join(', ') || '–';
}

const MARKED = /(?<=<!-- copy-table -->)[\s\S]*?(?=<!-- \/copy-table -->)/;

/** The text between the markers of the table in `markdown`. */
export function tableIn(markdown: string): string | undefined {
  return MARKED.exec(markdown)?.[0].trim();
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { write: { type: 'boolean' } } });
  const readme = join(ROOT, 'README.md');
  const table = copyTable();
  if (values.write) {
    const markdown = readFileSync(readme, 'utf8');
    writeFileSync(
      readme,
      markdown.replace(MARKED, () => `\n\n${table}\n\n`),
    );
  } else console.log(table);
}
