import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApp } from '../services/app/app.ts';
import { readConfig, variables } from '../services/app/config.ts';
import { describeVariables } from '../services/shared/process/config.ts';
import { createRedis } from '../services/shared/process/redis.ts';
import type { Connect } from '../services/shared/process/service.ts';
import { sessionScripts } from '../services/shared/session/scripts.ts';
import { ROOT } from '../tools/lib/root.ts';
import type { Running } from '../tools/lib/running.ts';
import { newName, npmStart, ready } from './support/npm.ts';

const README = readFileSync(join(ROOT, 'README.md'), 'utf8');
const LOADTEST = readFileSync(join(ROOT, 'docs/loadtest.md'), 'utf8');
const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));

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

describe('README.md and docs/loadtest.md', () => {
  const folder = mkdtempSync(join(tmpdir(), 'shared-state-readme-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  const examples = examplesOf(README + LOADTEST);
  const settings = [...new Set(examples.map(({ env }) => JSON.stringify(env)))];

  it('should have examples to run', () => {
    expect(examples.length).toBeGreaterThanOrEqual(5);
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

    /** Runs commands as somebody with the default name and port would. */
    function run(commands: string): string {
      const here = commands
        .replaceAll('localhost:8080', new URL(url).host)
        .replaceAll('npm run stack --', `npm run --silent --prefix ${ROOT} stack -- --name ${name}`)
        .replaceAll('npm run loadtest --', `npm run --silent --prefix ${ROOT} loadtest --`)
        .replaceAll(/^.*npm start.*$/gm, ''); // it runs already
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
      'should print what it says (%d)',
      (_number, { commands, output }) => {
        expect(output).toBeDefined();
        expect(withoutIds(run(commands))).toBe(withoutIds(output));
      },
    );
  });

  it('should have every setting in its table, as the code has it', () => {
    const rows = describeVariables(variables).map(({ name, fallback, allowed, unit }) => [
      `\`${name}\``,
      fallback ?? '',
      unit ? `${allowed} (${unit})` : allowed,
    ]);
    expect(tableOf(README, 'variable')).toEqual(rows);
  });

  it('should have every route in its table, and no other', async () => {
    const config = readConfig({ REDIS_URL: 'redis://127.0.0.1:1', FAULT_INJECTION: 'on' });
    const log = pino({ level: 'silent' });
    const clients: { destroy(): void }[] = [];
    const connect: Connect = (options) => {
      const client = createRedis({ url: config.REDIS_URL, timeoutMs: 100, log, ...options });
      clients.push(client);
      return client;
    };
    const redis = connect({ name: 'Redis', scripts: sessionScripts });
    const app = createApp({
      config,
      redis,
      connect,
      log,
      draining: new AbortController().signal,
      atEnd: () => {},
      identity: { name: 'app-1' },
    });
    for (const client of clients) client.destroy();
    // A pattern is a short cut of paths that are routed by name too.
    const named = app.router.stack.filter(({ route }) => typeof route?.path === 'string');
    const routes = named.flatMap(({ route }) =>
      (route?.stack ?? []).map(({ method }) => `${method.toUpperCase()} ${route?.path}`),
    );
    const documented = tableOf(README, 'route').map(([cell = '']) => cell.replaceAll('`', ''));
    expect(documented.sort()).toEqual([...new Set(routes)].sort());
  });

  it('should have every load test in its table, with its settings', () => {
    const folder = join(ROOT, 'loadtest');
    const files = readdirSync(folder).filter((file) => /^[a-z]+\.ts$/.test(file));
    const settingsOf = (file: string) =>
      [...readFileSync(join(folder, file), 'utf8').matchAll(/^\/\/ {3}-e (\w+=\w+)/gm)].map(
        ([, setting]) => `\`${setting}\``,
      );
    const scripts = files.filter((file) => file !== 'run.ts');
    const rows = tableOf(LOADTEST, 'script').map(([link, , settings]) => [link, settings]);
    expect(rows.sort()).toEqual(
      scripts.map((file) => [
        `[${file.slice(0, -3)}](../loadtest/${file})`,
        settingsOf(file).join(', '),
      ]),
    );
  });

  it('should name no npm script that is not there', () => {
    for (const [, script = ''] of (README + LOADTEST).matchAll(/npm run ([\w:-]+)/g)) {
      expect(scripts, script).toHaveProperty([script]);
    }
  });
});
