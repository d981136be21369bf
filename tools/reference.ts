/**
 * Prints the table of settings, made from the code: `node tools/reference.ts`. With `--write` it puts
 * the table into docs/reference.md.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { variables as appVariables } from '../services/app/config.ts';
import { variables as dashboardVariables } from '../services/dashboard/config.ts';
import { describeVariables } from '../services/shared/process/config.ts';
import { ROOT } from './lib/root.mjs';

export const REFERENCE = join(ROOT, 'docs/reference.md');
const MARKED = /(?<=<!-- settings -->\n)[\s\S]*?(?=\n<!-- \/settings -->)/;

/** All settings of both applications, in Markdown. */
export function settingsTable(): string {
  const variables = describeVariables(appVariables.extend(dashboardVariables.shape));
  const rows = variables.map(({ name, fallback = '', allowed, unit }) => {
    const readers = [
      name in appVariables.shape && 'app',
      name in dashboardVariables.shape && 'dashboard',
    ];
    const values = unit ? `${allowed} (${unit})` : allowed;
    return [`\`${name}\``, fallback, values, readers.filter(Boolean).join(', ')];
  });
  const cells = [['variable', 'default', 'allowed', 'read by'], Array(4).fill('---'), ...rows];
  return cells.map((row) => `| ${row.join(' | ')} |`).join('\n');
}

/** The table in a document. */
export function settingsIn(markdown: string): string | undefined {
  return MARKED.exec(markdown)?.[0];
}

if (import.meta.main) {
  if (process.argv.includes('--write')) {
    const markdown = readFileSync(REFERENCE, 'utf8');
    writeFileSync(REFERENCE, markdown.replace(MARKED, settingsTable));
  } else console.log(settingsTable());
}
