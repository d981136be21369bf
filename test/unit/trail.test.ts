import { describe, expect, it } from 'vitest';
import { inWords, Trail } from '../../services/dashboard/page/trail.js';

/** A trail that starts after `start` views, with the numbers of replies by instance: `app-1: [1, 2]`. */
function trailOf(start: number, replies: Record<string, number[]>, failed = 0): Trail {
  const trail = new Trail(start);
  for (const [instance, numbers] of Object.entries(replies)) {
    for (const views of numbers) trail.add({ views, instance });
  }
  trail.failed = failed;
  return trail;
}

const gapsOf = (trail: Trail) =>
  trail
    .steps()
    .filter(({ instances }) => instances.length === 0)
    .map(({ number }) => number);

describe('Trail', () => {
  it('should find nothing wrong if each number comes once, in any order', () => {
    const trail = trailOf(1, { 'app-1': [4, 2], 'app-2': [3] });
    expect(trail.steps().map(({ number }) => number)).toEqual([2, 3, 4]);
    expect(trail.summary()).toEqual({
      answered: 3,
      lost: 0,
      duplicates: 0,
      failed: 0,
      instances: 2,
      sessions: 1,
    });
  });

  it('should find gaps and duplicates if each instance counts separately', () => {
    const trail = trailOf(0, { 'app-1': [1, 2], 'app-2': [1, 2], 'app-3': [1] });
    expect(gapsOf(trail)).toEqual([3, 4, 5]);
    expect(trail.summary()).toMatchObject({ answered: 5, lost: 3, duplicates: 3, instances: 3 });
  });

  it('should find updates that overwrote each other', () => {
    const trail = trailOf(10, { 'app-1': [11, 12], 'app-2': [11, 13] });
    expect(gapsOf(trail)).toEqual([14]);
    expect(trail.summary()).toMatchObject({ lost: 1, duplicates: 1 });
  });

  it('should find a missing number', () => {
    expect(trailOf(0, { 'app-1': [1, 2, 4] }).summary()).toMatchObject({ lost: 1, duplicates: 0 });
  });

  it('should not count a view without a reply as lost', () => {
    const summary = trailOf(0, { 'app-1': [1, 2, 4] }, 1).summary();
    expect(summary).toMatchObject({ answered: 3, lost: 0, failed: 1 });
  });

  it('should describe the summary in words', () => {
    expect(inWords(trailOf(0, { 'app-1': [1, 2] }).summary(), 2)).toBe(
      '2 sent, 2 counted, none lost, none counted twice, by 1 instance',
    );
    expect(inWords(trailOf(0, { 'app-1': [1], 'app-2': [1] }, 1).summary(), 3)).toBe(
      '3 sent, 2 counted, none lost, 1 counted twice, 1 failed, by 2 instances',
    );
  });

  /** A trail with the numbers of replies in each session, in the order of the sessions. */
  function trailIn(...replies: [session: string, numbers: number[]][]): Trail {
    const trail = new Trail();
    for (const [session, numbers] of replies) {
      for (const views of numbers) trail.add({ views, instance: 'app-1', session });
    }
    return trail;
  }
  const numbersOf = (trail: Trail) => trail.steps().map(({ number }) => number);

  it('should start again with a new session, also if replies of the old one come late', () => {
    const trail = trailIn(['a', [7, 8]], ['b', [1, 2]], ['a', [9]], ['b', [3]]);
    trail.start = 6; // of the first session
    expect(numbersOf(trail)).toEqual([1, 2, 3]);
    expect(trail.summary()).toMatchObject({ answered: 6, lost: 0, duplicates: 0, sessions: 2 });
    expect(inWords(trail.summary(), 6)).toBe(
      '6 sent, 6 counted, none lost, none counted twice, by 1 instance, 2 sessions',
    );
  });

  it('should find what each session has lost or counted twice', () => {
    const trail = trailIn(['a', [7, 9]], ['b', [1, 2, 2, 4]]);
    expect(trail.summary()).toMatchObject({ lost: 2, duplicates: 1, sessions: 2 });
    expect(numbersOf(trail)).toEqual([1, 2, 3, 4]);
  });

  it('should continue after a login, which changes the id of the session', () => {
    const trail = trailIn(['a', [1, 2]], ['b', [5]], ['a', [3]], ['b', [6]]);
    expect(numbersOf(trail)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(gapsOf(trail)).toEqual([4]);
    expect(trail.summary()).toMatchObject({ lost: 1, duplicates: 0, sessions: 1 });
  });

  it('should be one trail if instances do not share sessions, after the trail of another stack', () => {
    const trail = trailIn(['a', [41, 42]], ['b', [1]]);
    trail.separate(false);
    for (const session of ['c', 'd']) trail.add({ views: 1, instance: 'app-2', session });
    expect(trail.summary()).toMatchObject({ answered: 3, lost: 2, duplicates: 2, sessions: 1 });
    expect(gapsOf(trail)).toEqual([2, 3]);
  });

  it('should begin again with the first reply of a stack that has started with another store', () => {
    const trail = trailIn(['a', [41, 42]]);
    trail.separate(false);
    expect(numbersOf(trail)).toEqual([41, 42]);
    for (const session of ['b', 'c']) trail.add({ views: 1, instance: 'app-1', session });
    trail.add({ views: 2, instance: 'app-1', session: 'b' });
    expect(numbersOf(trail)).toEqual([1, 2, 3]);
    expect(trail.summary()).toMatchObject({ answered: 3, lost: 1, duplicates: 1, sessions: 1 });

    const same = trailIn(['a', [41, 42]]);
    same.separate(false);
    same.add({ views: 43, instance: 'app-1', session: 'a' });
    expect(numbersOf(same)).toEqual([41, 42, 43]);
  });

  it('should not grow without bound over many sessions', () => {
    const trail = new Trail();
    for (let i = 0; i < 3000; i += 1) trail.add({ views: 1, instance: 'app-1', session: `${i}` });
    expect(trail.marks.length).toBeLessThanOrEqual(1000);
    expect(numbersOf(trail)).toEqual([1]);
  });

  it('should restart if another client made a million views, and continue to find gaps', () => {
    const trail = trailOf(0, { 'app-1': [1, 2, 1_000_003, 1_000_005] });
    expect(gapsOf(trail)).toEqual([1_000_004]);
    expect(trail.summary()).toMatchObject({ answered: 2, lost: 1, duplicates: 0 });
  });

  it('should not grow without bound, nor count dropped replies as lost', () => {
    const trail = new Trail(0);
    for (let views = 1; views <= 3000; views += 1) trail.add({ views, instance: 'app-1' });
    expect(trail.marks.length).toBeLessThanOrEqual(1000);
    expect(trail.last).toBe(3000);
    expect(trail.summary()).toMatchObject({ lost: 0, duplicates: 0 });
  });
});
