import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ROOT } from '../../tools/lib/root.mjs';
import { send } from '../../tools/lib/visitor.ts';
import { Stack } from '../../tools/stack/stack.ts';

/** Like services/minimal, it requires a SESSION_SECRET. Its reply shows its settings. */
const SOURCE = `
  import { createServer } from 'node:http';
  const { HOST, INSTANCE, PORT, SESSION_SECRET } = process.env;
  if (!SESSION_SECRET) throw new Error('SESSION_SECRET is missing');
  createServer((_req, res) => res.end([INSTANCE, SESSION_SECRET].join())).listen(PORT, HOST);
`;

describe('a stack with another program', () => {
  const folder = mkdtempSync(join(tmpdir(), 'shared-state-program-'));
  const program = join(folder, 'main.ts');
  writeFileSync(program, SOURCE);
  afterAll(() => rmSync(folder, { recursive: true }));

  /** The name and the secret of each of two instances. */
  async function settingsWith(secret: string): Promise<string[][]> {
    const env = { ...process.env, SESSION_SECRET: secret };
    await using stack = await Stack.start({ scale: 2, program, env });
    const replies = [await send(`${stack.url}/`), await send(`${stack.url}/`)];
    return replies.map(({ body }) => body.split(',')).sort();
  }

  it('should run it, with one random secret for all instances', async () => {
    const [[first, secret = ''] = [], second] = await settingsWith('');
    expect(first).toBe('app-1');
    expect(secret.length).toBeGreaterThanOrEqual(32);
    expect(second).toEqual(['app-2', secret]);
    expect((await settingsWith(''))[0]).not.toContain(secret);
  });

  it('should pass on the secret of the environment', async () => {
    const secret = 'a-secret-of-32-characters-or-more';
    expect(await settingsWith(secret)).toEqual([
      ['app-1', secret],
      ['app-2', secret],
    ]);
  });

  it('should run the program that workshop/README.md describes', async () => {
    const workshop = readFileSync(join(ROOT, 'workshop/README.md'), 'utf8');
    const [, needed = ''] = /^## Your own program$.*?```ts\n(.*?)```/ms.exec(workshop) ?? [];
    const own = join(folder, 'server.ts');
    writeFileSync(own, `import express from 'express';\nconst app = express();\n${needed}`);
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
    await using stack = await Stack.start({ program: own });
    const replies = [1, 2, 3].map(() => send(`${stack.url}/cart`));
    const instances = (await Promise.all(replies)).map(({ headers }) => headers['x-instance']);
    expect(instances.sort()).toEqual(['app-1', 'app-2', 'app-3']);
  });
});
