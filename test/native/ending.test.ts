import { expect, it } from 'vitest';
import { Stack } from '../../tools/stack/stack.ts';

it('should end a stack while its parts are being started, stopped and scaled', async () => {
  const stack = await Stack.start({ scale: 2 });
  const restart = async (name: string) => {
    const part = stack.part(name);
    await part.stop();
    await part.start();
  };
  const under = [restart('app-1'), restart('redis'), stack.scale(4)];
  const parts = ['nginx', 'redis', 'dashboard', 'app-1', 'app-2'].map((name) => stack.part(name));
  const [, ...ways] = await Promise.allSettled([stack.close(), ...under]);
  expect(ways.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
  expect(parts.filter((part) => part.isRunning)).toEqual([]);
});
