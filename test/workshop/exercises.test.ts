import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT } from '../../tools/lib/root.mjs';
import { send } from '../../tools/lib/visitor.ts';
import { exercises, loadExercise } from '../../workshop/kit/catalog.ts';
import type { Exercise } from '../../workshop/kit/exercise.ts';
import { askedInstances } from '../../workshop/kit/exercise-client.ts';
import { ExerciseStack, type StepResult } from '../../workshop/kit/exercise-stack.ts';

/** What participants try without success, as changes to the start or the solution, with the message. */
const ATTEMPTS = 'test/workshop/attempts';
/** What the check must say about the program with which a participant starts. */
const START_FAULTS: Record<string, string> = {
  'share-the-session': 'each instance keeps its sessions in its own memory',
  'count-every-view': 'Two requests read the same number',
  'cart-that-loses-nothing': 'the last one removes what the other one added',
  'cache-with-invalidation': 'PUT changes the database, and the cached copies stay as they are',
  'idempotent-retry': 'For the program, a retry is a new order',
  'session-fixation': 'both still use the same one',
  'rotate-a-secret': 'It signs new cookies with the new secret',
  'answer-without-redis': 'keeps each command until it is connected again',
  'stop-a-stampede': 'no request waits for the load of another one',
  'rate-limit': 'each instance counts for itself',
  'graceful-shutdown': 'the process ended before it had answered',
  'log-out-for-good': 'the session on the server goes on',
};

describe.each(exercises().map((entry) => [entry.name, entry] as const))(
  'the exercise %s',
  (name, { folder, number }) => {
    const attempts = `${ATTEMPTS}/${number}-${name}`;
    const files = readdirSync(join(ROOT, attempts)).map((file) => `${attempts}/${file}`);
    let temporary: string;
    let program: string;
    let stack: ExerciseStack;
    beforeAll(async () => {
      temporary = mkdtempSync(join(tmpdir(), 'shared-state-exercise-'));
      symlinkSync(join(ROOT, 'node_modules'), join(temporary, 'node_modules'));
      program = join(temporary, 'program.ts');
      stack = new ExerciseStack(await loadExercise({ folder } as never), program);
    });
    afterAll(async () => {
      await stack.close();
      rmSync(temporary, { recursive: true });
    });

    /**
     * Checks a program.
     *
     * @param change a file for `git apply`
     * @returns the fault that a participant reads; `undefined` if all is well
     */
    async function faultOf(file: string, change?: string): Promise<string | undefined> {
      copyFileSync(join(ROOT, folder, file), program);
      if (change) execFileSync('git', ['apply', join(ROOT, change)], { cwd: temporary });
      const results: StepResult[] = [];
      const passed = await stack.check((result) => results.push(result));
      const fault = results.at(-1)?.fault;
      expect(passed).toBe(fault === undefined);
      return fault;
    }

    it('should reject the program that it starts with, and say why', async () => {
      expect(await faultOf('start.ts')).toContain(START_FAULTS[name] ?? 'unknown');
    });

    it('should accept the solution', async () => {
      expect(await faultOf('solution.ts')).toBeUndefined();
    });

    it('should have at least three wrong attempts', () => {
      expect(files.length).toBeGreaterThanOrEqual(3);
    });

    it.each(files)('should reject %s, and say why', async (file) => {
      const [, changed = '', expected = 'no expectation'] =
        /^Changes: (.+)\nExpected: (.+)$/m.exec(readFileSync(join(ROOT, file), 'utf8')) ?? [];
      expect(await faultOf(changed, file)).toContain(expected);
    });
  },
);

describe('a step of an exercise', () => {
  it('should have all instances, even if one has failed in the step before', async () => {
    const sendSix = async (url: string) => {
      const asked = new Set<string>();
      for (let i = 0; i < 6; i += 1) {
        for (const instance of askedInstances(await send(url))) asked.add(instance);
      }
      return asked.size;
    };
    const steps: Exercise['steps'] = [
      {
        title: 'nginx finds that an instance has failed',
        async run(deployment) {
          await deployment.control('kill', 'app-1');
          return String(await sendSix(deployment.url));
        },
      },
      { title: 'and uses it again', run: async ({ url }) => String(await sendSix(url)) },
    ];
    const program = 'workshop/exercises/02-count-every-view/start.ts';
    await using stack = new ExerciseStack({ lesson: '', rule: '', steps }, program);
    const results: StepResult[] = [];
    await stack.check((result) => results.push(result));
    expect(results.map(({ figure }) => figure)).toEqual(['3', '3']);
  });
});
