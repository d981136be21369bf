import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Ended } from '../../tools/lib/running.ts';
import { Checkout } from '../support/checkout.ts';
import { newName, ready } from '../support/npm.ts';

describe('npm start on a system for which the package "node" has no Node', () => {
  const checkout = new Checkout();
  const preload = join(checkout.folder, 'system.cjs');
  /** Node and npm take the system for one that nobody makes binaries for. */
  const elsewhere = { NODE_OPTIONS: `--require ${preload}`, npm_config_prefer_offline: 'true' };
  let first: Ended;
  beforeAll(async () => {
    checkout.dropTools();
    writeFileSync(preload, "Object.defineProperty(process, 'arch', { value: 'none' });");
    const old = join(checkout.folder, 'old');
    const script = `[ "$*" = --version ] && echo v20.20.2 || exec "${process.execPath}" "$@"`;
    mkdirSync(old);
    writeFileSync(join(old, 'node'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    await using running = start(old);
    first = await running.ended;
  });
  afterAll(() => checkout[Symbol.dispose]());

  const start = (node: string) => {
    const PATH = `${node}:${process.env.PATH}`;
    const words = ['start', '--', '--port', '0', '--scale', '1', '--name', newName()];
    return checkout.start('npm', words, { ...elsewhere, PATH });
  };

  it('should say so where there is only an older one', () => {
    expect(first.stderr).toContain(
      'Node 24 is missing: the package "node" has none for this system',
    );
    expect(first.code).toBe(1);
  });

  it('should run on the Node that is there', async () => {
    await using running = start(dirname(process.execPath));
    const url = await ready(running);
    expect(await (await fetch(url)).text()).toBe('Views: 1');
    running.child.kill('SIGTERM');
    expect((await running.ended).code).toBe(0);
  });
});
