import { expect, it } from 'vitest';
import { isRight, Votes } from '../../workshop/wall/votes.ts';

function votesOf(guesses: number[]): Votes {
  const votes = new Votes();
  for (const [i, guess] of guesses.entries()) votes.set(`voter ${i}`, guess);
  return votes;
}

it('should keep the last guess of each voter, and refuse voters beyond the limit', () => {
  const votes = new Votes();
  for (let i = 0; i < 500; i += 1) expect(votes.set(`voter ${i}`, 1)).toBe(true);
  expect(votes.set('one more', 1)).toBe(false);
  expect(votes.set('voter 0', 2)).toBe(true);
  expect([votes.size, votes.of('voter 0'), votes.of('one more')]).toEqual([500, 2, undefined]);
});

it.each([
  [undefined, 0, true],
  [undefined, 1_000_000, true],
  [undefined, -1, false],
  [undefined, 1_000_001, false],
  [undefined, Number.NaN, false],
  [undefined, '5', false],
  [['yes', 'no'], 'no', true],
  [['yes', 'no'], 'perhaps', false],
])('of the choices %j and the guess %j should say whether it is allowed', (choices, guess, is) => {
  expect(new Votes(choices).allows(guess)).toBe(is);
});

it.each([
  [110, 100, true],
  [90, 100, true],
  [111, 100, false],
  [0, 0, true],
  [1, 0, false],
  ['Ada', 'Ada', true],
  ['Ada', 'Bob', false],
  [5, 'no CPU limits', false],
])('should judge the guess %j for %j', (guess, observed, is) => {
  expect(isRight(guess, observed)).toBe(is);
});

it('should draw a bar for each choice, and mark the observed one', () => {
  const votes = new Votes(['200', '503']);
  votes.set('a', '200');
  expect(votes.bars(503)).toEqual([
    { label: '200', votes: 1, isTrue: false },
    { label: '503', votes: 0, isTrue: true },
  ]);
});

it('should draw a bar for each number, and one for the observed number', () => {
  expect(votesOf([10, 0, 10]).bars(7)).toEqual([
    { label: '0', votes: 1, isTrue: false },
    { label: '7', votes: 0, isTrue: true },
    { label: '10', votes: 2, isTrue: false },
  ]);
});

it('should draw ranges for many numbers, whose width is not that of an outlier', () => {
  const bars = votesOf([...Array.from({ length: 40 }, (_, i) => i * 5), 999_999]).bars(130);
  expect(bars.map(({ label }) => label)).toEqual([
    '0 – 50',
    '50 – 100',
    '100 – 150',
    '150 or more',
  ]);
  expect(bars.map(({ votes }) => votes)).toEqual([10, 10, 10, 11]);
  expect(bars.findIndex(({ isTrue }) => isTrue)).toBe(2);
});
