import { describe, expect, it } from 'vitest';
import { check } from '../../tools/check-words.ts';

const THIRTY = `${'word '.repeat(29)}word.`;

describe('check-words', () => {
  it.each([
    ['Retries if there is no reply.', 'in a document'],
    ['Says where the configuration is.', 'with "where" for a place'],
    ['There are no more than three instances.', 'with "no more than"'],
    ['Do not write `nobody` or `whoever`.', 'with code in backticks'],
    ['The address is https://example.com/nobody here.', 'with an address'],
    ['```text\nnobody whoever\n```\n', 'with a block of code'],
    [`${THIRTY} ${THIRTY}`, 'with two sentences of thirty words'],
    [`- ${THIRTY}\n- ${THIRTY}\n\n${THIRTY}`, 'with a list and a paragraph'],
    [`| ${THIRTY.slice(0, -1)} | ${THIRTY} |`, 'with cells of a table'],
    [`One \`${THIRTY}\` counts as one word.`, 'with a long piece of code'],
  ])('should accept %j, %s', (text) => {
    expect(check('a.md', text)).toEqual([]);
  });

  it.each([
    ['Retries where there is no reply.', 'where there → if, when'],
    ['Whoever asks gets a reply.', 'Whoever → name the person or process'],
    ['The work is done\nat one\ngo.', 'at one go → at once, in one step'],
    ['It accepts no more connections.', 'no more → no longer'],
    ['The one that answers wins.', 'one that → name it: "a client that", "requests that"'],
    ['Its beat is stored.', 'beat → heartbeat'],
    ['See [nobody](nobody.md).', 'nobody → no user, no client, no process'],
    [`One ${THIRTY}`, '31 words → at most 30: One …'],
    [`One two\n\`npm start\` ${THIRTY}`, '33 words → at most 30: One …'],
  ])('should report the problem in %j', (text, problem) => {
    expect(check('a.md', `# A title\n\n${text}\n`)).toEqual([expect.stringContaining(problem)]);
  });

  it('should check comments and strings of TypeScript, but not its code', () => {
    const source = [
      'const nobody = where.it;',
      '/**',
      ' * Waits in',
      ' * vain, {@link nobody}.',
      ' * @param nobody a name',
      ' */',
      '// Goes on',
      '// for ever.',
      'interface A { /** Somebody. */ a: string }',
      "const b = 'Nobody is here';",
      'const c = `Whatever `; // anew',
      '// `nobody`',
    ].join('\n');
    expect(check('a.ts', source).map((problem) => problem.split(' →')[0])).toEqual([
      'a.ts:3: in vain',
      'a.ts:8: for ever',
      'a.ts:9: Somebody',
      'a.ts:10: Nobody',
      'a.ts:11: Whatever',
      'a.ts:11: anew',
    ]);
  });

  it('should read adjacent line comments as one sentence, but not trailing comments or strings', () => {
    const words = 'word '.repeat(20);
    expect(check('a.ts', `const a = 1;\n// ${words}\n// ${words}\n`)).toEqual([
      'a.ts:2: 40 words → at most 30: word …',
    ]);
    expect(check('a.ts', `a(); // ${words}\nb(); // ${words}\nc('${words}${words}');`)).toEqual([]);
  });

  it('should check comments of configuration files, but not their settings', () => {
    expect(check('a.conf', '# Listens on\n# nobody.\nnobody on;\n  # anew\n')).toEqual([
      'a.conf:2: nobody → no user, no client, no process',
      'a.conf:4: anew → again',
    ]);
  });

  it('should allow a word in the files that need it', () => {
    expect(check('CHANGELOG.md', 'The greeter is gone.')).toEqual([]);
    expect(check('README.md', 'The greeter is gone.')).toHaveLength(1);
  });
});
