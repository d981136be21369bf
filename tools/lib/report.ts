import { readFileSync, writeFileSync } from 'node:fs';
import { arch, availableParallelism, cpus, platform, totalmem } from 'node:os';
import { UsageError } from './errors.mjs';

/** The result of a run as a table. */
export interface Table {
  head: string[];
  rows: string[][];
}

/** Formats a table for the terminal. */
export function textTable({ head, rows }: Table): string {
  const all = [head, ...rows];
  const widths = head.map((_, i) => Math.max(...all.map((cells) => cells[i]?.length ?? 0)));
  const line = (cells: string[]) => cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(' | ');
  return all.map((cells) => line(cells).trimEnd()).join('\n');
}

/** The day, the machine and the version of Node. */
export function describeMachine(): string {
  const day = new Date().toISOString().slice(0, 10);
  const memory = Math.round(totalmem() / 2 ** 30);
  const model = cpus()[0]?.model.trim() || 'unknown CPU';
  const machine = `${availableParallelism()} cores, ${memory} GiB, ${platform()} ${arch()}`;
  return `${day}, ${model}, ${machine}, Node ${process.version}`;
}

/** The text between the marks of a section. */
const sectionOf = (name: string) =>
  new RegExp(`(?<=<!-- ${name} -->\\n).*?(?=<!-- /${name} -->)`, 's');

/** @throws {UsageError} if a Markdown file lacks the marks of a section */
export function checkSections(file: string, names: string[]): void {
  const document = readFileSync(file, 'utf8');
  const missing = names.find((name) => !sectionOf(name).test(document));
  if (missing === undefined) return;
  throw new UsageError(
    `${file} has no section "${missing}"; add <!-- ${missing} --> and <!-- /${missing} -->.`,
  );
}

/** Replaces a section of a Markdown file by the description of a run and its table. */
export function writeSection(file: string, name: string, run: string, { head, rows }: Table): void {
  const lines = [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`);
  replaceSection(file, name, `${run}\n\n${lines.join('\n')}\n`);
}

/** Replaces the text of a section of a Markdown file. */
export function replaceSection(file: string, name: string, text: string): void {
  const document = readFileSync(file, 'utf8');
  writeFileSync(
    file,
    document.replace(sectionOf(name), () => text),
  );
}

/** The text of a section of a Markdown document. */
export function readSection(document: string, name: string): string {
  return sectionOf(name).exec(document)?.[0] ?? '';
}

/** The rows of the table in a section, each with its cells by the head of their columns. */
export function readRows(section: string): Record<string, string>[] {
  const [head = [], , ...rows] = [...section.matchAll(/^\| (.*) \|$/gm)].map(([, cells = '']) =>
    cells.split(' | '),
  );
  return rows.map((cells) => Object.fromEntries(cells.map((cell, i) => [head[i], cell])));
}
