// @ts-check

/** Milliseconds between two updates of a line. */
const UPDATE_MS = 200;

/**
 * Runs a step that takes long. A terminal shows one line that says how far it is; otherwise one line
 * is reported at the start.
 *
 * @template T
 * @param {string} title
 * @param {(line: string) => void} report
 * @param {() => string} state how far it is, for example `12 of 140`
 * @param {() => Promise<T>} step
 * @returns {Promise<T>}
 */
export async function withProgress(title, report, state, step) {
  if (!process.stderr.isTTY) {
    report(`${title} …`);
    return step();
  }
  const since = Date.now();
  const show = (end = '') => {
    const seconds = Math.round((Date.now() - since) / 1000);
    process.stderr.write(`\r\x1b[K${title} … ${state()}, ${seconds} s${end}`);
  };
  const timer = setInterval(show, UPDATE_MS);
  try {
    return await step();
  } finally {
    clearInterval(timer);
    show('\n');
  }
}
