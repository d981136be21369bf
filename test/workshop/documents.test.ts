import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../../tools/lib/root.mjs';
import { describeTimes, updateTimes } from '../../tools/setup/lesson-times.mjs';
import { readRequirements } from '../../tools/setup/requirements.mjs';
import { catalog, load } from '../../workshop/kit/catalog.ts';
import { updateDocument } from '../../workshop/kit/documents.ts';
import { documentedOutput, maskVariableFigures } from '../support/lesson-output.ts';

const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');
/** Terms that people search for. Each one has to be the concept of a lesson. */
const TERMS = [
  'cache stampede',
  'cache-aside',
  'csrf',
  'graceful shutdown',
  'horizontal scaling',
  'idempotency key',
  'liveness',
  'lost update',
  'race condition',
  'readiness',
  'round robin',
  'secret rotation',
  'session affinity',
  'session fixation',
  'stateless',
  'sticky session',
  'thundering herd',
  'zero-downtime deployment',
];
const glossary = read('workshop/glossary.md')
  .split(/^### /m)
  .slice(1)
  .map((entry) => {
    const [term = '', text = ''] = entry.split('\n');
    return { term, text };
  });

/** The bold terms of the first paragraph below the question. */
function conceptsOf(lesson: string): string[] {
  const [, , paragraph = ''] = /^## Question\n+(.+)\n+(.+)$/m.exec(lesson) ?? [];
  return [...paragraph.matchAll(/\*\*(.+?)\*\*/g)].map(([, term = '']) => term.toLowerCase());
}

const lessons = catalog().map((entry) => [entry.name, entry] as const);

describe.each(lessons)('README.md of the lesson %s', (_, entry) => {
  const file = join(entry.folder, 'README.md');
  const text = read(file);

  it('should have its sections in order', () => {
    expect([...text.matchAll(/^## (.+)$/gm)].map(([, heading]) => heading)).toEqual([
      'Question',
      'Predict',
      'Run',
      'Observe',
      'Explain',
      'Look at the code',
      'Questions',
    ]);
    expect(text).toMatch(new RegExp(`^# ${entry.number} · \\S`));
    expect(entry.question).toMatch(/\?$/);
    expect(text).toContain(`npm run lesson -- ${entry.name}\n`);
    expect(text).toContain('<details>');
  });

  it('should name its concept below the question, with a term of the glossary', () => {
    const terms = conceptsOf(text);
    expect(terms).not.toHaveLength(0);
    expect(glossary.map(({ term }) => term.toLowerCase())).toEqual(expect.arrayContaining(terms));
    expect(text).toContain('](../glossary.md)');
  });

  it('should name the step of the tour that the lesson opens', async () => {
    const { scene } = await load(entry);
    expect(/`--show`.* step (\d) of the tour/.exec(text)?.[1]).toBe(scene && String(scene));
  });

  it('should show the current code; if not, run: npm run lesson -- NAME --docs', () => {
    expect(text).toContain('<!-- code: ');
    expect(updateDocument(text)).toBe(text);
  });

  it('should show exactly the figures of the lesson', async () => {
    const { wrong, right } = await load(entry);
    const shown = documentedOutput(text)
      .split('\n')
      .flatMap((line) => {
        const [, name, predicted] = /^ {2}(\S.*?) {3,}(\S.*?) {3,}/.exec(line) ?? [];
        return name ? [[name, predicted]] : [];
      });
    const figures = [wrong, right].flatMap(({ predicted }) => Object.entries(predicted));
    expect(shown).toEqual(figures.map(([name, { text: limit }]) => [name, limit]));
  });
});

describe.each(lessons)('the questions of the lesson %s', (_, entry) => {
  it('should be one or two, about figures of the lesson', async () => {
    const lesson = await load(entry);
    expect([1, 2]).toContain(lesson.asks.length);
    for (const { way, figure, question, choices } of lesson.asks) {
      expect(question).toMatch(/\?$/);
      const claimed = lesson[way].predicted[figure]?.text;
      if (choices) expect(choices).toContain(claimed);
      else expect(claimed).toMatch(/^(at least |at most )?\d+$/);
    }
  });
});

describe('the documents of the workshop', () => {
  const others = ['README.md', 'glossary.md', 'quiz.md'].map((name) => `workshop/${name}`);
  const files = [...others, ...lessons.map(([, { folder }]) => `${folder}/README.md`)];

  it.each(files)('%s should link to existing files and name existing npm scripts', (file) => {
    const text = read(file);
    for (const [, target = ''] of text.matchAll(/\]\((?!https?:)([^)#]+)[^)]*\)/g)) {
      expect(existsSync(join(ROOT, dirname(file), target)), target).toBe(true);
    }
    for (const [, script = ''] of text.matchAll(/npm run (?:--silent )?([\w:-]+)/g)) {
      expect(scripts, script).toHaveProperty([script]);
    }
  });

  it('should list every lesson in the schedule, in order', () => {
    const schedule = [...read('workshop/README.md').matchAll(/\]\((\d\d-[\w-]+)\/README\.md\)/g)];
    expect([...new Set(schedule.map(([, folder]) => `workshop/${folder}`))].sort()).toEqual(
      lessons.map(([, { folder }]) => folder),
    );
  });
});

describe('workshop/glossary.md', () => {
  it('should be in alphabetical order', () => {
    const terms = glossary.map(({ term }) => term.toLowerCase());
    expect(terms).toEqual(terms.toSorted());
  });

  it('should have every term that people search for, and a lesson with this concept', () => {
    const concepts = lessons.flatMap(([, { folder }]) => conceptsOf(read(`${folder}/README.md`)));
    expect(concepts).toEqual(expect.arrayContaining(TERMS));
  });

  it.each(glossary.map(({ term, text }) => [term, text]))(
    'should explain "%s" in a few sentences, with a lesson or exercise and an outside link',
    (_, text) => {
      const [explanation = ''] = text.split(/(?:See )?\[/);
      expect(explanation.match(/\.(?=\s|$)/g)?.length ?? 0).toBeLessThanOrEqual(3);
      expect(text).toMatch(/\]\((?:exercises\/)?\d\d-[\w-]+\/README\.md\)/);
      expect(text).toMatch(/ · \[.+\]\(https:\/\/\S+\)$/);
    },
  );
});

describe('workshop/quiz.md', () => {
  it('should have ten questions, each with an answer that names its lesson', () => {
    const questions = read('workshop/quiz.md')
      .split(/^## \d+$/m)
      .slice(1);
    expect(questions).toHaveLength(10);
    for (const question of questions) {
      const [asked = '', answer = ''] = question.split('<summary>Answer</summary>');
      expect(asked).toContain('?');
      expect(answer).toMatch(/\]\(\d\d-[\w-]+\/README\.md/);
    }
  });
});

describe('the times in workshop/README.md', () => {
  const text = read('workshop/README.md');
  const requirements = readRequirements();

  it('should be those of requirements.json; if not, run: npm run preflight -- --measure', () => {
    expect(Object.keys(requirements.lessonSeconds)).toEqual(lessons.map(([name]) => name));
    expect(updateTimes(text, requirements)).toBe(text);
    const { lessonSeconds } = requirements;
    const slower = { ...requirements, lessonSeconds: { ...lessonSeconds, eviction: 99 } };
    expect(updateTimes(text, slower)).not.toBe(text);
  });

  it('should name the lessons that take long', () => {
    const { measured } = requirements.native;
    const lessonSeconds = { a: 3.2, b: 64.4, c: 12.4, d: 9 };
    expect(describeTimes({ ...requirements, lessonSeconds })).toBe(
      'A lesson takes 3 to 12 seconds; b takes 64. All 4 take 2 minutes ' +
        `(measured ${measured.date} on ${measured.machine}).`,
    );
  });
});

describe('the devcontainer', () => {
  const { postAttachCommand, forwardPorts, portsAttributes, customizations } = JSON.parse(
    read('.devcontainer/devcontainer.json'),
  );

  it('should start the stack, and show its page and the first exercise', () => {
    expect(postAttachCommand).toBe('npm start');
    expect(forwardPorts).toEqual([8080]);
    expect(portsAttributes['8080'].onAutoForward).toBe('openBrowser');
    const { openFiles } = customizations.codespaces;
    expect(openFiles).toHaveLength(1);
    for (const file of openFiles) expect(existsSync(join(ROOT, file)), file).toBe(true);
  });
});

describe('blocks of commands', () => {
  const files = globSync('**/*.md', { cwd: ROOT, exclude: ['node_modules'] });

  it.each(files)('should have no comments, which zsh does not know at its prompt (%s)', (file) => {
    for (const [, block = ''] of read(file).matchAll(/^```sh\n(.*?)^```/gms)) {
      expect(block).not.toMatch(/(^|\s)#/m);
    }
  });
});

describe('updateDocument', () => {
  const document = (head: string, body: string) =>
    `a\n<!-- ${head} -->\n\`\`\`ts\n${body}\`\`\`\nb\n`;

  it('should insert the code from the first line up to its closing bracket', () => {
    const file = 'tools/lib/errors.mjs';
    const source = read(file);
    const [first = ''] = /^export class UsageError.*$/m.exec(source) ?? [];
    const whole = updateDocument(document(`code: ${file} | class UsageError`, 'old\n'));
    expect(whole).toContain(first);
    expect(source).toContain(/```mjs\n(.*?)\n```/s.exec(whole)?.[1]);
  });

  it('should insert a whole file', () => {
    const file = 'workshop/08-rolling-update/wrong-exit-at-once.ts';
    expect(updateDocument(document(`code: ${file}`, 'old\n'))).toBe(
      document(`code: ${file}`, read(file)),
    );
  });

  it('should fail if the source has no such line', () => {
    expect(() => updateDocument(document('code: package.json | no such line', ''))).toThrow(
      'no such line',
    );
  });

  it('should insert the output, and keep the old one if there is none', () => {
    const before = document('output', 'old\n');
    expect(updateDocument(before)).toBe(before);
    expect(updateDocument(before, 'new')).toBe('a\n<!-- output -->\n```text\nnew\n```\nb\n');
  });
});

describe('maskVariableFigures', () => {
  const row = (predicted: string, observed: string, mark = '✓') =>
    `  views lost of 200   ${predicted}   ${observed}   ${mark}`;

  it('should ignore a different figure if the prediction is a limit', () => {
    expect(maskVariableFigures(row('at least 20', '152'))).toBe(
      maskVariableFigures(row('at least 20', '9.5')),
    );
    expect(maskVariableFigures('✓ It lost 152.')).toBe(maskVariableFigures('✓ It lost 9.'));
  });

  it.each([
    ['exact figure', row('0', '0'), row('0', '1')],
    ['prediction', row('at least 20', '99'), row('at least 30', '99')],
    ['mark', row('at least 20', '99'), row('at least 20', '99', '✗')],
    ['title', 'WRONG  COUNTER=1', 'WRONG  COUNTER=2'],
  ])('should not ignore a different %s', (_, one, other) => {
    expect(maskVariableFigures(one)).not.toBe(maskVariableFigures(other));
  });
});
