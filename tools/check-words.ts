/**
 * Checks the words of comments, messages and documents: `node tools/check-words.ts [FILE ...]`.
 *
 * Two rules hold: a sentence of a comment or document has at most 30 words, and no pattern of
 * {@link RULES} occurs. Text in backticks is code and is not checked.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { parseSync, Visitor } from 'oxc-parser';
import { ROOT } from './lib/root.mjs';

const MAX_WORDS = 30;

/** Each row: the phrase to avoid, the replacement, and files in which the phrase is allowed. */
const RULES: [pattern: string, instead: string, allowed?: RegExp][] = [
  ['who(so)?ever', 'name the person or process'],
  ['whatever', 'any, every, regardless of'],
  ['wherever', 'in every place, in any'],
  ['nobody', 'no user, no client, no process'],
  ['somebody', 'a user, a client, another process'],
  ['whom', 'name the person or process'],
  ['(?:one|ones|those|he|they) (?:that|who|which)', 'name it: "a client that", "requests that"'],
  ['anew', 'again'],
  ['in vain', 'without success, without a reply'],
  ['at one go', 'at once, in one step'],
  ['for ever', 'forever, without a limit'],
  ['no more(?! than)', 'no longer'],
  ['where (?:it|there|they|nothing|none|no|neither|something|anything|that)', 'if, when'],
  ['puts? off', 'extend the TTL, delay'],
  ['beats?', 'heartbeat'],
  ['(?<!in[- ]|single[- ])flights?', 'single-flight, a load in progress'],
  ['passengers?', 'waiters'],
  ['hearing clock', 'connected clock'],
  ['tally|tallies', 'request stats'],
  ['survey', 'Redis stats, poll'],
  ['feeders?|fed by', 'event stream, subscriber'],
  ['obey(?:s|ed)?', 'apply'],
  ['known visitors', 'verified-cookie cache'],
  ['change ids?', 'idempotency key'],
  ['floors?', 'invalidation watermark'],
  ['at hand', 'fresh, in memory'],
  ['surroundings', 'context'],
  ['ledger', 'audit log'],
  ['contests?|contestants?|rivals?', 'benchmark, variant'],
  ['doubled', 'counted twice'],
  ['keys of the house', 'secret rotation'],
  ['greeter', 'dashboard', /^CHANGELOG\.md$/],
  ['chaos', 'fault injection', /^CHANGELOG\.md$|^services\/dashboard\/page|^test\/browser\//],
  ['behaviours?', 'behavior'],
  ['colou?red|colours?', 'color'],
  ['licences?', 'license'],
  ['neighbours?', 'neighbor'],
  ['catalogues?', 'catalog'],
];
const BANNED = RULES.map(([pattern, instead, allowed]) => ({
  regex: new RegExp(`(?<![\\w.-])(?:${pattern.replaceAll(' ', '\\s+')})(?![\\w-])`, 'gi'),
  instead,
  allowed,
}));

/** Takes the place of everything that is not prose. It ends a sentence; offsets and lines stay. */
const END = '\0';
const mask = (text: string, by = END) => text.replaceAll(/\S/g, by);

/** Turns code in backticks and addresses into one word each, and lets tags of JSDoc end a sentence. */
const maskCode = (text: string) =>
  text
    .replaceAll(/(`+)[^`]+?\1|\{@link [^}]*\}|https?:\/\/[^\s)]+/g, (code) =>
      'x'.repeat(code.length),
    )
    .replaceAll(/@(?:param \w+|\w+(?: \{(?:[^{}]|\{[^{}]*\})*\}(?: \S+)?)?)/g, (tag) => mask(tag));

function proseOfMarkdown(text: string): string {
  const withoutCode = text
    .replaceAll(/^ *(```+)[\s\S]*?^ *\1$|<!--[\s\S]*?-->|<\/?[a-z][^>]*>/gm, (code) => mask(code))
    .replaceAll(/\]\([^)]*\)/g, (link) => mask(link, ' '));
  return maskCode(withoutCode).replaceAll(/^\s*(?:[-*>#]+|\d+\.) |\|/gm, (mark) => mask(mark));
}

/** Keeps the given ranges of a text. */
function keep(text: string, ranges: { start: number; end: number }[]): string {
  let prose = '';
  for (const { start, end } of ranges) {
    prose += mask(text.slice(prose.length, start)) + text.slice(start, end);
  }
  return maskCode(prose + mask(text.slice(prose.length)));
}

function proseOfScript(file: string, text: string) {
  const { program, comments } = parseSync(file, text);
  const strings: { start: number; end: number }[] = [];
  // Without the quotation marks: a backtick would begin code.
  const add = ({ start, end }: { start: number; end: number }) =>
    void strings.push({ start: start + 1, end: end - 1 });
  new Visitor({
    Literal: (node) => typeof node.value === 'string' && add(node),
    TemplateElement: add,
  }).visit(program);
  strings.sort((a, b) => a.start - b.start);
  const marks = /^\s*(?:\/\*+|\*(?!\/)|\/\/)|\*\/$/gm;
  const unmarked = text.replaceAll(marks, (mark) => mask(mark, ' '));
  return { comments: keep(unmarked, comments), strings: keep(text, strings) };
}

/** Keeps the comments of configuration files and shell scripts. */
function proseOfConfig(text: string): string {
  const comments = [...text.matchAll(/^\s*#+!?(.*)$/gm)].map(
    ({ index, 0: line, 1: words = '' }) => ({
      start: index + line.length - words.length,
      end: index + line.length,
    }),
  );
  return keep(
    text.replaceAll(/^\s*#+/gm, (mark) => mask(mark, ' ')),
    comments,
  );
}

/** Returns one line for each problem: `file:line: phrase → what to write`. */
export function check(file: string, text: string): string[] {
  const { comments, strings } = /\.(?:ts|js|mjs)$/.test(file)
    ? proseOfScript(file, text)
    : { comments: file.endsWith('.md') ? proseOfMarkdown(text) : proseOfConfig(text), strings: '' };
  const problems: [index: number, text: string][] = [];

  for (const { regex, instead, allowed } of BANNED) {
    if (allowed?.test(file)) continue;
    for (const { index, 0: phrase } of [...comments.matchAll(regex), ...strings.matchAll(regex)]) {
      problems.push([index, `${phrase.replaceAll(/\s+/g, ' ')} → ${instead}`]);
    }
  }
  for (const { index, 0: sentence } of comments.matchAll(
    /(?:[^\0.!?\n]|[.!?](?!["')*]*\s)|\n(?!\s*\n))+/g,
  )) {
    const [first, ...more] = sentence.matchAll(/[\p{L}\p{N}][^\s]*/gu);
    if (!first || more.length < MAX_WORDS) continue;
    problems.push([
      index + first.index,
      `${more.length + 1} words → at most ${MAX_WORDS}: ${first[0]} …`,
    ]);
  }

  const lineOf = (index: number) => text.slice(0, index).split('\n').length;
  return problems
    .sort(([a], [b]) => a - b)
    .map(([at, problem]) => `${file}:${lineOf(at)}: ${problem}`);
}

/** Everything in the repository that has words, but the load tests' code, which is revised later. */
const WORDS = [
  '*.md',
  '*.ts',
  '*.js',
  '*.mjs',
  '*.css',
  '*.conf',
  '*.sh',
  '*.yml',
  '*.yaml',
  '*Dockerfile',
  '.ci/*',
];
const EXCEPT = [':!loadtest/', ':!tools/check-words.ts', ':!test/unit/check-words.test.ts'];

if (import.meta.main) {
  process.chdir(ROOT);
  const list = [
    'ls-files',
    '--cached',
    '--others',
    '--exclude-standard',
    '--',
    ...WORDS,
    ...EXCEPT,
  ];
  const files = execFileSync('git', list, { encoding: 'utf8' }).trim().split('\n');
  const named = process.argv.slice(2);
  const problems = (named.length > 0 ? named : files)
    .filter((file) => existsSync(file))
    .flatMap((file) => check(file, readFileSync(file, 'utf8')));
  for (const problem of problems) console.error(problem);
  if (problems.length > 0) process.exitCode = 1;
}
