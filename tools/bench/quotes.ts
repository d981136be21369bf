import { readRows, readSection } from '../lib/report.ts';

/** Marks the results of a machine that was too busy. */
export const TOO_BUSY = 'TOO BUSY TO JUDGE';

/** The variants that the README quotes, as it calls them. */
const VARIANTS = {
  views: '`GET /`',
  article: 'the same by express-session alone',
  data: '`GET /data`',
};
const FIGURES = ['startup', 'memory idle', 'scale up'];

/** The figures of docs/performance.md that the README quotes, as a list in Markdown. */
export function quotesFrom(document: string): string {
  const [benchmark = '', figures = ''] = ['benchmark', 'figures'].map((name) =>
    readSection(document, name),
  );
  const compared = readRows(benchmark);
  const measured = readRows(figures);
  const variants = Object.entries(VARIANTS).map(([name, words]) => {
    const row = compared.find(({ variant }) => variant === name) ?? {};
    const lost = row['lost updates'] === '–' ? '' : `; lost updates: ${row['lost updates']}`;
    return `${words}: ${row.ratio} (${row.range}), ${row['to minimal nginx']}${lost}`;
  });
  const others = FIGURES.map((name) => {
    return `${name} ${measured.find(({ figure }) => figure === name)?.median}`;
  });
  const [machine] = /^.*? GiB/.exec(benchmark) ?? [];
  const mark = benchmark.includes(TOO_BUSY) ? `, ${TOO_BUSY}` : '';
  const items = [...variants, others.join(', '), `${machine}${mark}`];
  return `${items.map((item) => `- ${item}`).join('\n')}\n`;
}
