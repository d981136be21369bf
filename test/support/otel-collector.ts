import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../../tools/lib/eventually.ts';
import { Running } from '../../tools/lib/running.ts';
import { send } from '../../tools/lib/visitor.ts';
import { freePort } from '../../tools/stack/port.ts';

/** Built by .ci/otel-collector. */
const FILE = process.env.OTEL_COLLECTOR || join(homedir(), '.cache/shared-state/otel-collector');

/** Why there is no Collector to test with; `undefined` if there is one. */
export function collectorMissing(): string | undefined {
  return existsSync(FILE) ? undefined : 'no OpenTelemetry Collector; .ci/otel-collector builds it';
}

/** The OpenTelemetry Collector, which passes on what it receives. */
export class Collector implements AsyncDisposable {
  readonly url: string;
  #process: Running;

  /** @param target the URL of the receiver that gets all of its traces, in JSON */
  static async start(target: string): Promise<Collector> {
    const port = await freePort();
    const endpoint = `127.0.0.1:${port}`;
    const config = {
      receivers: { otlp: { protocols: { http: { endpoint } } } },
      exporters: { otlphttp: { endpoint: target, encoding: 'json', compression: 'none' } },
      service: {
        pipelines: { traces: { receivers: ['otlp'], exporters: ['otlphttp'] } },
        telemetry: { metrics: { level: 'none' } },
      },
    };
    const collector = new Collector(endpoint, config);
    await eventually(() => send(collector.url));
    return collector;
  }

  private constructor(endpoint: string, config: object) {
    this.url = `http://${endpoint}`;
    this.#process = new Running(FILE, ['--config', `yaml:${JSON.stringify(config)}`]);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#process[Symbol.asyncDispose]();
  }
}
