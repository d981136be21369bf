/** The output of the lesson that a document shows. */
export function documentedOutput(document: string): string {
  return /<!-- output -->\n```text\n(.*?)\n```/s.exec(document)?.[1] ?? '';
}

/**
 * Masks the digits that differ from run to run: those of figures whose prediction is a limit, and
 * those of the verdict. Everything else is equal in two runs of the same lesson.
 */
export function maskVariableFigures(text: string): string {
  const mask = (words: string) => words.replaceAll(/\d+([.,]\d+)*/g, '#');
  return text
    .split('\n')
    .map((line) => {
      const [name = '', predicted = '', observed = '', mark, ...rest] = line.trim().split(/ {3,}/);
      if (mark === undefined || rest.length > 0) return line.startsWith('✓') ? mask(line) : name;
      const masked = predicted === observed ? observed : mask(observed);
      return [name, predicted, masked, mark].join(' | ');
    })
    .join('\n');
}
