import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findTools } from '../../tools/lib/programs.mjs';
import { Instance } from '../../tools/stack/instance.ts';
import type { StackContext } from '../../tools/stack/managed-process.ts';
import { Nginx } from '../../tools/stack/nginx.ts';
import { freePort } from '../../tools/stack/port.ts';
import { Redis } from '../../tools/stack/redis.ts';
import { Watchdog } from '../../tools/stack/watchdog.ts';

const HOST = '127.0.0.1';
const tools = findTools(() => {});

describe('a process that does not start', () => {
  let folder: string;
  let context: StackContext;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'shared-state-failure-'));
    context = { folder, watchdog: new Watchdog(folder), report: () => {} };
  });
  afterEach(async () => {
    await context.watchdog.close();
    rmSync(folder, { recursive: true, force: true });
  });

  async function reasonOf(program: string, env: NodeJS.ProcessEnv = {}): Promise<string> {
    const all = { ...process.env, ...env };
    const instance = new Instance('app-1', program, await freePort(), () => all, context);
    const err: Error = await instance.start().then(
      () => expect.fail('it has started'),
      (reason) => reason,
    );
    return err.message.replaceAll(folder, '');
  }

  it.each([
    ['throws', "\n\nthrow new Error('no luck');", 'Error: no luck (/program.ts:3)'],
    [
      'throws an error with a code',
      "throw Object.assign(new RangeError('too far'), { code: 'E_FAR' });",
      'RangeError: too far (E_FAR, /program.ts:1)',
    ],
    [
      'throws an error of two lines with a cause',
      "throw new Error('first\\nsecond', { cause: new Error('deeper') });",
      'Error: first second (/program.ts:1)',
    ],
    ['throws a string', "throw 'just a text';", 'just a text (/program.ts:1)'],
    [
      'rejects',
      "await Promise.reject(new TypeError('rejected'));",
      'TypeError: rejected (/program.ts:1)',
    ],
    [
      'has a syntax error',
      'const port = ;',
      'SyntaxError [ERR_INVALID_TYPESCRIPT_SYNTAX]: Expression expected (/program.ts:1)',
    ],
    [
      'imports a missing package',
      "import 'no-such-package';",
      "Error [ERR_MODULE_NOT_FOUND]: Cannot find package 'no-such-package' imported from /program.ts",
    ],
    [
      'imports a missing file',
      "import './no-such-file.ts';",
      "Error [ERR_MODULE_NOT_FOUND]: Cannot find module '/no-such-file.ts' imported from /program.ts",
    ],
    ['writes one line', "console.error('SIZE=9: too big'); process.exit(1);", 'SIZE=9: too big'],
    [
      'writes its log, a warning of Node and one line',
      `console.log('{"level":"info","msg":"hello"}');
       process.emitWarning('old');
       setTimeout(() => { console.error('SIZE=9: too big'); process.exit(1); }, 50);`,
      'SIZE=9: too big',
    ],
    ['writes nothing', 'process.exit(3);', 'exit code 3, without an error message'],
  ])('should be reported if it %s', async (_case, source, reason) => {
    const program = join(folder, 'program.ts');
    writeFileSync(program, source);
    expect(await reasonOf(program)).toBe(`app-1 did not start: ${reason}`);
  });

  it('should be reported if its program is missing', async () => {
    expect(await reasonOf(join(folder, 'missing.ts'))).toBe(
      "app-1 did not start: Error: Cannot find module '/missing.ts' (MODULE_NOT_FOUND)",
    );
  });

  it('should be reported if Node rejects an option', async () => {
    expect(await reasonOf('services/app/main.ts', { NODE_OPTIONS: '--no-such-option' })).toMatch(
      /^app-1 did not start: .*node: --no-such-option is not allowed in NODE_OPTIONS$/,
    );
  });

  it('should be reported with each invalid setting', async () => {
    expect(await reasonOf('services/app/main.ts', { COUNTER: 'x', REQUEST_TIMEOUT_MS: '1' })).toBe(
      'app-1 did not start: REQUEST_TIMEOUT_MS="1": must be a whole number from 100 to 10000 | ' +
        'COUNTER="x": must be atomic or session',
    );
  });

  it('should be reported if nginx rejects its configuration', async () => {
    const nginx = new Nginx(tools.nginx, HOST, { nginx: await freePort(), status: 1 }, context);
    nginx.write({ app: [99_999], dashboard: [1] });
    await expect(nginx.start()).rejects.toThrow(
      /^nginx did not start: .*\[emerg\].* invalid port in upstream "127\.0\.0\.1:99999"/,
    );
  });

  it('should be reported if Redis rejects its configuration', async () => {
    const redis = new Redis(tools.redis, await freePort(), context);
    rmSync(join(folder, 'redis'), { recursive: true }); // --dir
    await expect(redis.start()).rejects.toThrow(/^redis did not start: No such file or directory$/);
  });

  it('should be reported if its executable is missing', async () => {
    const redis = new Redis('/no/such/redis-server', await freePort(), context);
    await expect(redis.start()).rejects.toThrow(
      'redis did not start: spawn /no/such/redis-server ENOENT, without an error message',
    );
  });
});
