// @ts-check
// The times of the lessons in workshop/README.md.

const BLOCK = /(?<=<!-- times -->\n)[\s\S]*?(?=<!-- \/times -->)/;

/** A lesson that takes longer than this many times the median is named on its own. */
const LONG = 2;

/**
 * What to expect of the lessons, as one paragraph.
 *
 * @param {Pick<import('./requirements.mjs').Requirements, 'native' | 'lessonSeconds'>} requirements
 */
export function describeTimes({ native, lessonSeconds }) {
  const all = Object.entries(lessonSeconds).sort(([, a], [, b]) => a - b);
  const median = all[Math.floor(all.length / 2)]?.[1] ?? 0;
  const isLong = (/** @type {number} */ seconds) => seconds > LONG * median;
  const usual = all.map(([, seconds]) => seconds).filter((seconds) => !isLong(seconds));
  const long = all.filter(([, seconds]) => isLong(seconds));
  const exceptions = long.map(([name, seconds]) => `; ${name} takes ${Math.round(seconds)}`);
  const minutes = all.reduce((sum, [, seconds]) => sum + seconds, 0) / 60;
  const [from = 0, to = 0] = [usual[0], usual.at(-1)].map((it) => Math.round(it ?? 0));
  return (
    `A lesson takes ${from} to ${to} seconds${exceptions.join('')}. ` +
    `All ${all.length} take ${Math.ceil(minutes)} minutes ` +
    `(measured ${native.measured.date} on ${native.measured.machine}).`
  );
}

/**
 * Puts that paragraph between the lines `<!-- times -->` and `<!-- /times -->`.
 *
 * @param {string} document
 * @param {Parameters<typeof describeTimes>[0]} requirements
 * @throws {Error} if the document has no such lines
 */
export function updateTimes(document, requirements) {
  if (!BLOCK.test(document)) throw new Error('the document has no <!-- times --> block');
  return document.replace(BLOCK, () => `\n${describeTimes(requirements)}\n\n`);
}
