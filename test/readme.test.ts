import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Express } from 'express';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as app from '../services/app/app.ts';
import { readConfig as readAppConfig } from '../services/app/config.ts';
import * as dashboard from '../services/dashboard/app.ts';
import { readConfig as readDashboardConfig } from '../services/dashboard/config.ts';
import type { CommonConfig } from '../services/shared/process/config.ts';
import { createRedis } from '../services/shared/process/redis.ts';
import type { Connect, ServiceContext } from '../services/shared/process/service.ts';
import { quotesFrom } from '../tools/bench/quotes.ts';
import { readSection } from '../tools/lib/report.ts';
import { ROOT } from '../tools/lib/root.mjs';
import type { Running } from '../tools/lib/running.ts';
import { settingsIn, settingsTable } from '../tools/reference.ts';
import { newName, npmStart, ready } from './support/npm.ts';

const MAX_README_WORDS = 1350;

const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');
const README = read('README.md');
const REFERENCE = read('docs/reference.md');
const LOADTEST = read('docs/loadtest.md');
const NEXT_STEPS = read('docs/next-steps.md');
const { scripts } = JSON.parse(read('package.json'));

const DOCUMENTS = ['', 'docs/', 'docs/decisions/'].flatMap((folder) =>
  readdirSync(join(ROOT, folder))
    .filter((name) => name.endsWith('.md'))
    .map((name) => folder + name),
);

/** A block of commands that a document says are run, with what it says they print. */
interface Example {
  env: NodeJS.ProcessEnv;
  commands: string;
  output: string | undefined;
}

function examplesOf(text: string): Example[] {
  const blocks = /<!-- run(?:: (\S+)=(\S+))? -->\n```sh\n(.*?)```\n(?:\n```text\n(.*?)```)?/gs;
  return [...text.matchAll(blocks)].map(([, name, value, commands = '', output]) => ({
    env: name ? { [name]: value } : {},
    commands,
    output,
  }));
}

/** The rows of the table whose first heading is given. */
function tableOf(text: string, heading: string): string[][] {
  const rows = text.slice(text.indexOf(`| ${heading} |`)).split('\n\n')[0] ?? '';
  return rows
    .split('\n')
    .slice(2)
    .map((row) =>
      row
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}

/** The anchors that GitHub gives to the headings of a document. */
function anchorsOf(text: string): string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w\s-]/g, '')
      .replaceAll(' ', '-'),
  );
}

type CreateApp = (context: ServiceContext) => Express;

/** The routes of an application, with their methods. */
function routesOf(createApp: CreateApp, readConfig: (env: NodeJS.ProcessEnv) => CommonConfig) {
  const routes = { COMPARE_PORTS: '8080,8081', CONTROL_SOCKET: '/control.sock' };
  const optional = { FAULT_INJECTION: 'on', ...routes };
  const config = readConfig({ REDIS_URL: 'redis://127.0.0.1:1', ...optional });
  const log = pino({ level: 'silent' });
  const clients: { destroy(): void }[] = [];
  const connect: Connect = (options) => {
    const client = createRedis({ url: config.REDIS_URL, timeoutMs: 100, log, ...options });
    clients.push(client);
    return client;
  };
  const { router } = createApp({
    config,
    instance: { name: 'app-1' },
    connect,
    log,
    listening: new Promise(() => {}),
    draining: new AbortController().signal,
    onShutdown: () => {},
  });
  for (const client of clients) client.destroy();
  return router.stack.flatMap(({ route }) => {
    // The paths of a pattern (fresh-data.ts) are routed by name too.
    const paths = [route?.path].flat().filter((path) => typeof path === 'string');
    const methods = new Set(route?.stack.map(({ method }) => method.toUpperCase()));
    return [...methods].flatMap((method) => paths.map((path) => `${method} ${path}`));
  });
}

describe('README.md and docs', () => {
  const folder = mkdtempSync(join(tmpdir(), 'shared-state-readme-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  const examples = examplesOf(README + REFERENCE + LOADTEST + NEXT_STEPS);
  const settings = [...new Set(examples.map(({ env }) => JSON.stringify(env)))];

  it('should have examples to run', () => {
    expect(examples.length).toBeGreaterThanOrEqual(9);
  });

  describe.each(settings)('the examples with %s', (setting) => {
    const name = newName();
    let running: Running;
    let url: string;
    beforeAll(async () => {
      running = npmStart(['--name', name, '--port', '0'], JSON.parse(setting));
      url = await ready(running);
    });
    afterAll(async () => {
      running.child.kill('SIGTERM');
      await running.ended;
    });

    /** Runs commands on this stack instead of the one with the default name and port. */
    function run(commands: string): string {
      const here = commands
        .replaceAll('localhost:8080', new URL(url).host)
        .replaceAll('npm run stack --', `npm run --silent --prefix ${ROOT} stack -- --name ${name}`)
        .replaceAll('npm run loadtest --', `npm run --silent --prefix ${ROOT} loadtest --`)
        .replaceAll(/^.*npm start.*$/gm, ''); // it is running
      const { stdout, stderr, status } = spawnSync('bash', ['-e', '-c', here], {
        cwd: folder,
        encoding: 'utf8',
        env: { ...process.env, BASE_URL: url },
      });
      expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
      return stdout;
    }
    const withoutIds = (text = '') => text.replaceAll(/"session":"[0-9a-f]{8}"/g, '"session":"…"');

    const ours = examples.filter(({ env }) => JSON.stringify(env) === setting);
    it.each(ours.map((example, i) => [i + 1, example] as const))(
      'should print the given output (%d)',
      (_number, { commands, output }) => {
        expect(output).toBeDefined();
        expect(withoutIds(run(commands))).toBe(withoutIds(output));
      },
    );
  });

  it('should have a README that is read in five minutes', () => {
    expect(README.split(/\s+/).filter(Boolean).length).toBeLessThanOrEqual(MAX_README_WORDS);
  });

  it('should show code of services/minimal as it is', () => {
    const [, code = ''] = /```ts\n(.*?)```/s.exec(README) ?? [];
    expect(code).toContain('incr');
    expect(read('services/minimal/main.ts')).toContain(code);
  });

  it('should quote the figures of docs/performance.md', () => {
    expect(readSection(README, 'quoted')).toBe(quotesFrom(read('docs/performance.md')));
  });

  it('should have the table of settings that tools/reference.ts makes from the code', () => {
    expect(settingsIn(REFERENCE)).toBe(settingsTable());
  });

  it.each([
    ['route', app.createApp, readAppConfig],
    ['route of the dashboard', dashboard.createApp, readDashboardConfig],
  ] as const)(
    'should have every %s in its table, and no other',
    (heading, createApp, readConfig) => {
      const routes = routesOf(createApp as CreateApp, readConfig);
      const documented = tableOf(REFERENCE, heading).map(([cell = '']) => cell.replaceAll('`', ''));
      expect(documented.sort()).toEqual([...new Set(routes)].sort());
    },
  );

  it('should have every load test in its table, with its settings', () => {
    const folder = join(ROOT, 'loadtest');
    const files = readdirSync(folder)
      .filter((file) => /^\d\d-/.test(file))
      .sort();
    const settingsOf = (file: string) =>
      [...readFileSync(join(folder, file), 'utf8').matchAll(/^\/\/ {3}-e (\w+=\w+)/gm)].map(
        ([, setting]) => `\`${setting}\``,
      );
    const rows = tableOf(LOADTEST, 'script').map(([link, , , settings]) => [link, settings]);
    expect(rows).toEqual(
      files.map((file) => [
        `[${file.slice(3, -3)}](../loadtest/${file})`,
        settingsOf(file).join(', '),
      ]),
    );
  });

  it.each(DOCUMENTS)('should name only npm scripts and files that exist: %s', (document) => {
    const text = read(document);
    for (const [, script = ''] of text.matchAll(/npm run ([\w:-]+)/g)) {
      expect(scripts, script).toHaveProperty([script]);
    }
    for (const [, target = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(target)) continue;
      const [path = '', anchor] = target.split('#');
      const file = path ? join(ROOT, dirname(document), path) : join(ROOT, document);
      expect(existsSync(file), target).toBe(true);
      if (anchor) expect(anchorsOf(readFileSync(file, 'utf8'))).toContain(anchor);
    }
  });
});
