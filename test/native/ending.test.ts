import { expect, it } from 'vitest';
import { Stack } from '../../tools/stack/stack.ts';

it('should close a stack while its processes start, stop and scale', async () => {
  const stack = await Stack.start({ scale: 2 });
  const restart = (name: string) => stack.process(name).restart();
  const work = [restart('app-1'), restart('redis'), stack.scale(4)];
  const processes = ['nginx', 'redis', 'dashboard', 'app-1', 'app-2'].map((name) =>
    stack.process(name),
  );
  const [, ...results] = await Promise.allSettled([stack.close(), ...work]);
  expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
  expect(processes.filter(({ isRunning }) => isRunning)).toEqual([]);
});
