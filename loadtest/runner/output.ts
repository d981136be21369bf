import { createWriteStream, type WriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import type { Metric, Tags } from './metrics.ts';

/**
 * Writes every sample as a line of JSON, as k6 does with `--out json=FILE`.
 * @see https://grafana.com/docs/k6/latest/results-output/real-time/json/
 */
export class JsonOutput {
  #stream: WriteStream;
  #known = new Set<string>();

  constructor(file: string) {
    this.#stream = createWriteStream(file);
  }

  point({ name, type, contains }: Metric, value: number, tags: Tags, at: number): void {
    if (!this.#known.has(name)) {
      this.#known.add(name);
      const data = { name, type, contains, thresholds: [], submetrics: null };
      this.#write({ type: 'Metric', data, metric: name });
    }
    const data = { time: new Date(at).toISOString(), value, tags };
    this.#write({ metric: name, type: 'Point', data });
  }

  /** Resolves once all is in the file; rejects where it could not be written. */
  async close(): Promise<void> {
    this.#stream.end();
    await finished(this.#stream);
  }

  #write(line: object): void {
    this.#stream.write(`${JSON.stringify(line)}\n`);
  }
}
