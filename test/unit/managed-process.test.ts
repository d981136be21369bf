import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ManagedProcess, type StackContext } from '../../tools/stack/managed-process.ts';
import { Watchdog } from '../../tools/stack/watchdog.ts';

/** A shell script that counts as ready immediately. */
class Script extends ManagedProcess {
  #text: string;

  constructor(text: string, context: StackContext) {
    super('script', 'sh', 0, context);
    this.#text = text;
  }

  protected override args(): string[] {
    return ['-c', this.#text];
  }

  protected override async isServing(): Promise<boolean> {
    return true;
  }
}

describe('ManagedProcess', () => {
  let context: StackContext;
  beforeEach(() => {
    const folder = mkdtempSync(join(tmpdir(), 'shared-state-process-'));
    context = { folder, watchdog: new Watchdog(folder), report: () => {} };
  });
  afterEach(() => context.watchdog.close());

  it('should write each line to its log', async () => {
    const script = new Script('echo one; echo two >&2; exec sleep 60', context);
    const lines: string[] = [];
    script.on('line', (line) => lines.push(line));
    await script.start();
    while (lines.length < 2) await once(script, 'line');
    await script.stop();
    const log = readFileSync(join(context.folder, 'script.log'), 'utf8');
    expect(log.trimEnd().split('\n').sort()).toEqual(['one', 'two']);
  });

  it('should survive a line that is written after the folder was removed', async () => {
    // Runs in its own process group, so that it outlives the script.
    const late = `setsid sh -c 'echo early; while [ -e "${context.folder}" ]; do sleep 0.02; done; echo late'`;
    const script = new Script(`${late} & exec sleep 60`, context);
    await Promise.all([once(script, 'line'), script.start()]);
    await script.stop();
    const line = once(script, 'line');
    rmSync(context.folder, { recursive: true });
    expect(await line).toEqual(['late']);
  });

  it('should not start while the stack is closing', async () => {
    const script = new Script('exec sleep 60', context);
    context.isClosing = true;
    await expect(script.start()).rejects.toThrow('the stack is closing');
    expect(script.isRunning).toBe(false);
  });
});
