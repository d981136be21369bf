import { describe, expect, it } from 'vitest';
import { Visitor } from '../../tools/lib/visitor.ts';
import { Stack } from '../../tools/stack/stack.ts';
import { proveContinuity, proveNothingLost } from '../support/proofs.ts';

// Negative controls: the proofs must fail on the wrong ways.

describe('SESSION_STORE=memory', () => {
  it('should fail the proof of continuity, and log a warning', async () => {
    const lines: string[] = [];
    await using stack = await Stack.start({
      env: { ...process.env, SESSION_STORE: 'memory' },
      report: (line) => lines.push(line),
    });
    await expect(proveContinuity(stack.url)).rejects.toThrow(/expected \[ 1,/);
    expect(lines.filter((line) => line.includes('SESSION_STORE=memory'))).toHaveLength(3);
  });
});

describe('two instances', () => {
  it('should fail the proof of continuity, which asks for three', async () => {
    await using stack = await Stack.start({ scale: 2 });
    await expect(proveContinuity(stack.url)).rejects.toThrow(
      'expected 2 to be greater than or equal to 3',
    );
  });
});

describe('COUNTER=session', () => {
  it('should count views in turn, but lose concurrent ones', async () => {
    await using stack = await Stack.start({ env: { ...process.env, COUNTER: 'session' } });
    await proveContinuity(stack.url);
    await expect(proveNothingLost(stack.url)).rejects.toThrow(/expected \[/);
    const visitor = new Visitor(stack.url);
    await visitor.view();
    await visitor.viewAtOnce(200);
    expect((await visitor.view()).views).toBeLessThan(202);
  });
});
