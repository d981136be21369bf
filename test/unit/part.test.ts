import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Guard } from '../../tools/stack/guard.ts';
import { type Command, Part, type Surroundings } from '../../tools/stack/part.ts';

/** A part that is a shell script, and serves at once. */
class Script extends Part {
  #text: string;

  constructor(text: string, around: Surroundings) {
    super('script', 0, around);
    this.#text = text;
  }

  protected override command(): Command {
    return { file: 'sh', args: ['-c', this.#text], env: process.env };
  }

  protected override async isServing(): Promise<boolean> {
    return true;
  }
}

describe('Part', () => {
  let around: Surroundings;
  beforeEach(() => {
    const folder = mkdtempSync(join(tmpdir(), 'shared-state-part-'));
    around = { folder, guard: new Guard(folder), report: () => {} };
  });
  afterEach(() => around.guard.close());

  it('should write each line to its log', async () => {
    const script = new Script('echo one; echo two >&2; exec sleep 60', around);
    const lines: string[] = [];
    script.on('line', (line) => lines.push(line));
    await script.start();
    while (lines.length < 2) await once(script, 'line');
    await script.stop();
    const log = readFileSync(join(around.folder, 'script.log'), 'utf8');
    expect(log.trimEnd().split('\n').sort()).toEqual(['one', 'two']);
  });

  it('should outlive a line that comes when the folder is gone', async () => {
    // Outside of the group of the part, so that it lives longer than that for sure.
    const late = `setsid sh -c 'echo early; while [ -e "${around.folder}" ]; do sleep 0.02; done; echo late'`;
    const script = new Script(`${late} & exec sleep 60`, around);
    await Promise.all([once(script, 'line'), script.start()]);
    await script.stop();
    const line = once(script, 'line');
    rmSync(around.folder, { recursive: true });
    expect(await line).toEqual(['late']);
  });

  it('should not start where the stack is ending', async () => {
    const script = new Script('exec sleep 60', around);
    around.isEnding = true;
    await expect(script.start()).rejects.toThrow('the stack is ending');
    expect(script.isRunning).toBe(false);
  });
});
