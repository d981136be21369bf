import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../../tools/lib/root.mjs';

/**
 * A generated block of a document. Its comment says what follows:
 * - `<!-- code: FILE -->`: The whole file.
 * - `<!-- code: FILE | FIRST -->`: The code from the first line with FIRST to its closing bracket.
 * - `<!-- code: FILE | FIRST | LAST -->`: The code from there to the next line with LAST.
 * - `<!-- output -->`: The output of the lesson.
 */
const BLOCK =
  /(<!-- (code|output)(?:: (\S+)(?: \| (.+?))?(?: \| (.+?))?)? -->\n)```\w*\n.*?```\n/gs;

/** Updates the code of a document from the source files and, if given, the output of its lesson. */
export function updateDocument(document: string, output?: string): string {
  return document.replaceAll(
    BLOCK,
    (block, head: string, kind: string, file = '', first?: string, last?: string) => {
      if (kind === 'code') return head + fenced(excerpt(file, first, last), file.split('.').at(-1));
      return output === undefined ? block : head + fenced(output, 'text');
    },
  );
}

function fenced(text: string, language = ''): string {
  return `\`\`\`${language}\n${text}\n\`\`\`\n`;
}

function excerpt(file: string, first: string | undefined, last: string | undefined): string {
  const text = readFileSync(join(ROOT, file), 'utf8').trimEnd();
  if (first === undefined) return text;
  const lines = text.split('\n');
  const from = lines.findIndex((line) => line.includes(first));
  const rest = lines.slice(from);
  const [line] = rest;
  if (from < 0 || line === undefined) throw new Error(`${file} has no line with "${first}"`);
  const indent = /^\s*/.exec(line)?.[0] ?? '';
  const closes = (one: string) =>
    one.startsWith(indent) && /[)}\]]/.test(one.charAt(indent.length));
  const isLast = (one: string) => (last ? one.includes(last) : closes(one));
  const end = last || /[({[]$/.test(line) ? rest.findIndex((one, i) => i > 0 && isLast(one)) : 0;
  if (end < 0) throw new Error(`${file}: the code that begins with "${first}" does not end`);
  return rest
    .slice(0, end + 1)
    .map((one) => one.slice(indent.length))
    .join('\n');
}
