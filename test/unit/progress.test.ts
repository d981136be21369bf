import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  readProgress,
  recordExercise,
  recordPrediction,
  workshopFolder,
} from '../../workshop/kit/progress.ts';

const GUESS = { question: 'How many are lost?', guess: 20, observed: 131, claimed: 'at least 20' };
const EXERCISE = { passedAt: '2026-01-02T03:04:05.678Z', figures: { lost: '0' } };

describe('the progress of a user', () => {
  let parent: string;
  let file: string;
  beforeEach(() => {
    parent = mkdtempSync(join(tmpdir(), 'shared-state-progress-'));
    vi.stubEnv('WORKSHOP_FOLDER', join(parent, 'new/folder'));
    file = join(workshopFolder(), 'progress.json');
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    rmSync(parent, { recursive: true });
  });

  it('should be in the project by default', () => {
    vi.stubEnv('WORKSHOP_FOLDER', '');
    expect(workshopFolder()).toMatch(/\/workshop\/my-solutions$/);
  });

  it('should be empty at first, without a file', () => {
    expect(readProgress()).toEqual({ exercises: {}, predictions: {} });
    expect(readdirSync(parent)).toEqual([]);
  });

  it('should keep exercises and the last predictions of each lesson', () => {
    recordExercise('count', EXERCISE);
    recordPrediction('lost-updates', [{ ...GUESS, guess: 5 }]);
    recordPrediction('lost-updates', [GUESS]);
    recordPrediction('eviction', [{ ...GUESS, guess: 'none', observed: 'all' }]);
    expect(readProgress()).toEqual({
      exercises: { count: EXERCISE },
      predictions: {
        'lost-updates': { at: expect.stringMatching(/^\d{4}-\d\d-\d\dT.+Z$/), guesses: [GUESS] },
        eviction: { at: expect.any(String), guesses: [expect.objectContaining({ guess: 'none' })] },
      },
    });
    expect(readdirSync(workshopFolder())).toEqual(['progress.json']);
  });

  it.each(['{"exercises": {"count"', '{"exercises": []}', ''])(
    'should keep a file with errors beside the new one: %j',
    (text) => {
      recordExercise('count', EXERCISE);
      writeFileSync(file, text);
      recordPrediction('lost-updates', [GUESS]);
      expect(readFileSync(`${file}.broken`, 'utf8')).toBe(text);
      expect(Object.keys(readProgress().predictions)).toEqual(['lost-updates']);
    },
  );
});
