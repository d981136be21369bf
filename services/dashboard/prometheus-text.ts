/** One line of the Prometheus text format: a series with its value now. */
export interface Series {
  name: string;
  labels: Record<string, string>;
  value: number;
}

const SERIES = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;

/**
 * Parses the Prometheus text format. Comments and malformed lines are skipped.
 * @see https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
 */
export function parsePrometheusText(text: string): Series[] {
  return text.split('\n').flatMap((line) => {
    const [, name = '', list = '', number = ''] = SERIES.exec(line) ?? [];
    const value = Number(number.replace('Inf', 'Infinity'));
    if (name === '' || Number.isNaN(value)) return [];
    const labels = [...list.matchAll(LABEL)].map(([, label, escaped = '']) => [
      label,
      escaped.replace(/\\(.)/g, (_, character) => (character === 'n' ? '\n' : character)),
    ]);
    return [{ name, labels: Object.fromEntries(labels), value }];
  });
}
