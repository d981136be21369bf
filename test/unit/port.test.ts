import { describe, expect, it, vi } from 'vitest';
import { freePort } from '../../tools/stack/port.ts';

describe('freePort', () => {
  it('should not return a port twice, even if the first caller does not listen yet', async () => {
    const random = vi.spyOn(Math, 'random');
    for (const value of [0.5, 0.5, 0.25]) random.mockReturnValueOnce(value);
    const [first, second] = [await freePort('127.0.0.1'), await freePort('127.0.0.1')];
    random.mockRestore();
    expect(second).not.toBe(first);
  });
});
