import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../../tools/lib/root.ts';

/**
 * A block that is not written by hand. `<!-- code: FILE | FIRST -->` is followed by what begins in
 * FILE with the first line that contains FIRST, and ends where that does; with `| LAST` besides it
 * ends with the next line that contains LAST. `<!-- output -->` is followed by what the lesson printed.
 */
const BLOCK = /(<!-- (code|output)(?:: (.+?) \| (.+?)(?: \| (.+?))?)? -->\n)```\w*\n.*?```\n/gs;

/** A document with its code as the sources have it now, and, if it is given, the output of its lesson. */
export function updated(document: string, output?: string): string {
  return document.replaceAll(
    BLOCK,
    (block, head: string, kind: string, file = '', first = '', last?: string) => {
      if (kind === 'code') return head + fenced(excerpt(file, first, last), file.split('.').at(-1));
      return output === undefined ? block : head + fenced(output, 'text');
    },
  );
}

/** The output that a document shows; `undefined` where it shows none. */
export function outputIn(document: string): string | undefined {
  return /<!-- output -->\n```text\n(.*?)\n```/s.exec(document)?.[1];
}

function fenced(text: string, language = ''): string {
  return `\`\`\`${language}\n${text}\n\`\`\`\n`;
}

function excerpt(file: string, first: string, last: string | undefined): string {
  const lines = readFileSync(join(ROOT, file), 'utf8').split('\n');
  const from = lines.findIndex((line) => line.includes(first));
  const rest = lines.slice(from);
  const [line] = rest;
  if (from < 0 || line === undefined) throw new Error(`${file} has no line with ${first}`);
  const indent = /^\s*/.exec(line)?.[0] ?? '';
  const isLast = (one: string) => (last ? one.includes(last) : closes(one, indent));
  const end = last || /[({[]$/.test(line) ? rest.findIndex((one, i) => i > 0 && isLast(one)) : 0;
  if (end < 0) throw new Error(`${file}: what begins with ${first} does not end`);
  return rest
    .slice(0, end + 1)
    .map((one) => one.slice(indent.length))
    .join('\n');
}

/** Tells whether a line is indented like that and closes a bracket. */
function closes(line: string, indent: string): boolean {
  return line.startsWith(indent) && /[)}\]]/.test(line.charAt(indent.length));
}
