import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../../tools/lib/root.mjs';
import { catalog } from '../../workshop/kit/catalog.ts';

/** What an exercise takes, in minutes. */
const EXERCISE_MINUTES = 10;
/** For a prediction, a run and a sentence about the difference. */
const MIN_LESSON_MINUTES = 4;

const README = readFileSync(join(ROOT, 'workshop/README.md'), 'utf8');
const EXERCISES = readdirSync(join(ROOT, 'workshop/exercises')).filter((it) => /^\d\d-/.test(it));

/** A row of the table of lessons. */
interface LessonRow {
  minutes: number;
  /** Numbers of lessons. */
  buildsOn: string[];
  /** Folders of exercises. */
  exercises: string[];
}

/** A row of a plan. */
interface Step {
  /** Minutes from midnight or from the start. */
  at: number;
  minutes: number;
  part: string;
  lessons: string[];
  exercises: string[];
}

const LESSON_LINK = /\]\((\d\d-[\w-]+)\/README\.md\)/g;
const EXERCISE_LINK = /\]\(exercises\/([\w-]+)\/README\.md\)/g;
const targetsOf = (text: string, link: RegExp) =>
  [...text.matchAll(link)].map(([, target = '']) => target);

/** The cells of all rows in a section, without the two rows of the heading. */
function rowsOf(text: string, heading: string): string[][] {
  const section = text.split(`${heading}\n`)[1]?.split(/^#/m)[0] ?? '';
  const rows = section.split('\n').filter((line) => line.startsWith('|'));
  return rows.slice(2).map((row) => row.split(' | ').map((cell) => cell.replace(/^\| | \|$/g, '')));
}

function lessonRows(text: string): Map<string, LessonRow> {
  return new Map(
    rowsOf(text, '## The lessons').map(([lesson = '', minutes, buildsOn = '', exercises = '']) => [
      targetsOf(lesson, LESSON_LINK)[0] ?? '',
      {
        minutes: Number(minutes),
        buildsOn: buildsOn.match(/\d\d/g) ?? [],
        exercises: targetsOf(exercises, EXERCISE_LINK),
      },
    ]),
  );
}

function planOf(text: string, title: string): Step[] {
  return rowsOf(text, `### ${title}`).map(([at = '', minutes, part = '']) => {
    const [hours = 0, rest = 0] = at.split(':').map(Number);
    const [lessons, exercises] = [targetsOf(part, LESSON_LINK), targetsOf(part, EXERCISE_LINK)];
    return { at: 60 * hours + rest, minutes: Number(minutes), part, lessons, exercises };
  });
}

/** What is wrong with a plan: one line for each problem. */
function problemsOf(plan: Step[], total: number, lessons: Map<string, LessonRow>): string[] {
  const problems: string[] = [];
  const seen = new Set<string>();
  let at = plan[0]?.at ?? 0;
  for (const step of plan) {
    if (step.at !== at) problems.push(`"${step.part}" begins at ${step.at}, not at ${at}`);
    at += step.minutes;
    let needed = step.exercises.length * EXERCISE_MINUTES;
    for (const name of step.lessons) {
      const lesson = lessons.get(name);
      needed += lesson?.minutes ?? Number.NaN;
      for (const earlier of lesson?.buildsOn ?? []) {
        if (!seen.has(earlier)) problems.push(`${name} comes before ${earlier}`);
      }
      seen.add(name.slice(0, 2));
    }
    for (const name of step.exercises) {
      const [lesson] = [...lessons].find(([, { exercises }]) => exercises.includes(name)) ?? [''];
      if (!seen.has(lesson.slice(0, 2))) problems.push(`exercise ${name} comes before its lesson`);
    }
    if (!(step.minutes >= needed)) problems.push(`"${step.part}" needs ${needed} minutes`);
  }
  const sum = plan.reduce((minutes, step) => minutes + step.minutes, 0);
  if (sum !== total) problems.push(`the minutes add up to ${sum}, not to ${total}`);
  return problems;
}

const lessons = lessonRows(README);
const PLANS: [title: string, minutes: number][] = [
  ['45 minutes', 45],
  ['90 minutes', 90],
  ['One day', 8 * 60],
];

describe('the table of lessons', () => {
  it('should have every lesson in order, and every exercise once', () => {
    expect([...lessons.keys()]).toEqual(catalog().map(({ folder }) => folder.split('/')[1]));
    expect([...lessons.values()].flatMap(({ exercises }) => exercises).sort()).toEqual(
      EXERCISES.sort(),
    );
  });

  it.each([...lessons])('should agree with the README of %s', (name, row) => {
    expect(row.minutes).toBeGreaterThanOrEqual(MIN_LESSON_MINUTES);
    const [head = ''] = readFileSync(join(ROOT, 'workshop', name, 'README.md'), 'utf8').split('##');
    expect(head.match(/(?<=\[)\d\d(?=\])/g) ?? []).toEqual(row.buildsOn);
    expect([...head.matchAll(/exercises\/([\w-]+)\//g)].map(([, it]) => it)).toEqual(row.exercises);
    for (const earlier of row.buildsOn) expect(earlier < name).toBe(true);
  });
});

describe.each(PLANS)('the plan for %s', (title, minutes) => {
  const plan = planOf(README, title);

  it('should add up, and give each part the minutes and the lessons that it needs', () => {
    expect(plan.length).toBeGreaterThan(5);
    expect(problemsOf(plan, minutes, lessons)).toEqual([]);
  });

  it('should name existing lessons and exercises, each once', () => {
    const named = plan.flatMap((step) => [...step.lessons, ...step.exercises]);
    expect(new Set(named).size).toBe(named.length);
    expect([...lessons.keys(), ...EXERCISES]).toEqual(expect.arrayContaining(named));
  });

  it('should begin with the setup and end with questions', () => {
    expect(plan[0]?.part).toContain('Setup');
    expect(plan.at(-1)?.part).toMatch(/questions/i);
  });
});

it('should have six lessons, three exercises and a break in 90 minutes', () => {
  const plan = planOf(README, '90 minutes');
  expect(plan.flatMap((step) => step.lessons)).toHaveLength(6);
  expect(plan.flatMap((step) => step.exercises)).toHaveLength(3);
  expect(plan.map(({ part }) => part)).toContain('Break');
});

it('should have every lesson and every exercise in one day', () => {
  const plan = planOf(README, 'One day');
  expect(plan.flatMap((step) => step.lessons).sort()).toEqual([...lessons.keys()]);
  expect(plan.flatMap((step) => step.exercises).sort()).toEqual(EXERCISES.sort());
});

describe('a wrong plan', () => {
  const right = planOf(README, '90 minutes');

  it.each([
    ['the minutes add up to', right.slice(0, -1)],
    ['begins at', right.toSpliced(7, 1)],
    ['needs 7 minutes', right.map((step) => ({ ...step, minutes: 4 }))],
    ['comes before its lesson', right.filter(({ lessons: names }) => names.length === 0)],
    ['07-kill-an-instance comes before 04', right.toSpliced(4, 1)],
  ])('should be refused: %s', (problem, plan) => {
    expect(problemsOf(plan, 90, lessons).join('\n')).toContain(problem);
  });
});
