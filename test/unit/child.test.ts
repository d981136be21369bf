import { describe, expect, it } from 'vitest';
import { endAll, pipe, run } from '../../tools/lib/child.mjs';

describe('run', () => {
  it('should resolve to the output', async () => {
    expect(await run('sh', ['-c', 'echo one; echo two >&2'])).toBe('one\n');
  });

  it('should name the program and the last line of its errors if it fails', async () => {
    const failing = run('sh', ['-c', 'echo first >&2; echo no space left >&2; exit 3']);
    await expect(failing).rejects.toThrow('sh failed: no space left');
    await expect(run('sh', ['-c', 'exit 3'])).rejects.toThrow('sh failed: exit code 3');
    await expect(run('no-such-program', ['now'])).rejects.toThrow('no-such-program now: spawn');
  });
});

describe('pipe', () => {
  it('should fail if either program fails', async () => {
    await pipe(['echo', 'text'], ['grep', '-q', 'text']);
    await expect(pipe(['echo', 'text'], ['grep', '-q', 'other'])).rejects.toThrow('grep failed');
    await expect(pipe(['sh', '-c', 'exit 3'], ['cat'])).rejects.toThrow('sh failed: exit code 3');
  });

  it('should not leave a program that waits for its output to be read', async () => {
    const source = ['sh', '-c', 'trap "" TERM; exec yes'];
    await expect(pipe(source, ['sh', '-c', 'exit 3'])).rejects.toThrow('sh failed: exit code 3');
    await endAll();
  });
});
