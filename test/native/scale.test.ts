import { once } from 'node:events';
import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { UsageError } from '../../tools/lib/errors.mjs';
import { eventually } from '../../tools/lib/eventually.ts';
import { type Seen, Visitor } from '../../tools/lib/visitor.ts';
import { Stack } from '../../tools/stack/stack.ts';
import { range } from '../support/proofs.ts';

describe('scaling', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await Stack.start({ scale: 1 });
  });
  afterAll(() => stack?.close());

  const instancesOf = (seen: Seen[]) => [...new Set(seen.map(({ instance }) => instance))].sort();

  it('should go from 1 to 3 to 2 under requests, with none failed and none lost', async () => {
    const visitors = range(1, 4).map(() => new Visitor(stack.url));
    let scaling = true;
    const load = visitors.map(async (visitor) => {
      const seen: Seen[] = [];
      while (scaling) seen.push(await visitor.view());
      return seen;
    });
    await stack.scale(3);
    await eventually(async () => {
      const seen = await new Visitor(stack.url).viewInTurn(6);
      expect(instancesOf(seen)).toEqual(['app-1', 'app-2', 'app-3']);
    });
    await stack.scale(2);
    const after2 = await new Visitor(stack.url).viewInTurn(12);
    scaling = false;

    expect(instancesOf(after2)).not.toContain('app-3');
    for (const seen of await Promise.all(load)) {
      expect(seen.length).toBeGreaterThan(20);
      expect(seen.map(({ views }) => views)).toEqual(range(1, seen.length));
    }
    const instances = (await stack.ps()).filter(({ name }) => name.startsWith('app'));
    expect(instances.map(({ name, state }) => `${name} ${state}`)).toEqual([
      'app-1 ready',
      'app-2 ready',
    ]);
  });

  it('should ask all instances equally often', async () => {
    await stack.scale(3);
    const seen = await new Visitor(stack.url).viewInTurn(30);
    for (const name of ['app-1', 'app-2', 'app-3']) {
      expect(seen.filter(({ instance }) => instance === name)).toHaveLength(10);
    }
  });

  it('should pass over a killed instance, show it as dead, and start it again when asked', async () => {
    await stack.scale(3);
    await stack.process('app-2').kill();
    const seen = await new Visitor(stack.url).viewInTurn(12);
    expect(instancesOf(seen)).toEqual(['app-1', 'app-3']);
    expect(await stack.process('app-2').status()).toMatchObject({ pid: null, state: 'dead' });

    await stack.scale(3);
    expect(instancesOf(await new Visitor(stack.url).viewInTurn(6))).toHaveLength(3);
  });

  it('should go on with the others if an instance that is to stay cannot start', async () => {
    await stack.scale(2);
    const { port } = stack.process('app-1');
    await stack.process('app-1').kill();
    await using other = createServer((socket) => socket.destroy()).listen(port, '127.0.0.1');
    await once(other, 'listening');
    await expect(stack.scale(1)).rejects.toThrow('app-1 did not start: ');
    expect(await stack.process('app-2').status()).toMatchObject({ state: 'ready' });
    expect(instancesOf(await new Visitor(stack.url).viewInTurn(2))).toEqual(['app-2']);
  });

  it.each([0, -1, 1.5, Number.NaN, 33])('should refuse %d instances', async (count) => {
    await expect(stack.scale(count)).rejects.toThrow(UsageError);
  });
});
