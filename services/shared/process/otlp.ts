import * as http from 'node:http';
import * as https from 'node:https';
import type { Logger } from 'pino';

/** Milliseconds until a span is sent, at most. */
const INTERVAL_MS = 1000;
/** Spans that are sent at once, before that time. */
const BATCH = 512;
/** The spans that may wait while the receiver is slow: their number, and the bytes of their JSON. */
const MAX_WAITING = 4096;
const MAX_BYTES = 4 * 1024 * 1024;
/** Milliseconds for one export. */
const TIMEOUT_MS = 10_000;
/** Bytes of a reply of the receiver. */
const MAX_REPLY = 64 * 1024;
/** Milliseconds between two log lines about lost spans. */
const LOG_INTERVAL_MS = 60_000;

/** By the names of the semantic conventions. */
export type Attributes = Record<string, string | number | undefined>;

/** The source of spans, described when they are sent. */
export type Resource = () => Attributes;

/** https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto */
export const SpanKind = { server: 2, client: 3 } as const;
const STATUS_ERROR = 2;

/** A span that has ended. */
export interface Span {
  /** 32 and 16 hexadecimal digits. */
  traceId: string;
  spanId: string;
  parentSpanId: string | undefined;
  name: string;
  kind: (typeof SpanKind)[keyof typeof SpanKind];
  /** Milliseconds since 1970, with fractions. */
  startMs: number;
  endMs: number;
  attributes: Attributes;
  isError: boolean;
}

/** The receiver of the spans. */
export interface ExporterOptions {
  url: URL;
  headers: Record<string, string>;
  log: Logger;
}

/**
 * Sends spans as OTLP/HTTP in JSON. It never waits, throws or keeps the process alive: spans that the
 * receiver does not take are dropped and counted.
 * @see https://opentelemetry.io/docs/specs/otlp/#otlphttp
 */
export class SpanExporter {
  #options: ExporterOptions;
  #agent: http.Agent;
  /** Spans as JSON, by their source. */
  #waiting = new Map<Resource, string[]>();
  #count = 0;
  #bytes = 0;
  #sending: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #ending = new AbortController();
  #lost = 0;
  #quietUntil = -Infinity;

  constructor(options: ExporterOptions) {
    this.#options = options;
    const { Agent } = options.url.protocol === 'https:' ? https : http;
    this.#agent = new Agent({ keepAlive: true, maxSockets: 1 });
  }

  add(resource: Resource, span: Span): void {
    if (this.#count >= MAX_WAITING || this.#bytes >= MAX_BYTES) {
      this.#lose(1, 'the receiver is too slow');
      return;
    }
    const json = JSON.stringify(encodeSpan(span));
    const spans = this.#waiting.get(resource);
    if (spans) spans.push(json);
    else this.#waiting.set(resource, [json]);
    this.#count += 1;
    this.#bytes += json.length;
    if (this.#count >= BATCH) void this.#sendNext();
    else this.#timer ??= setTimeout(() => this.#sendNext(), INTERVAL_MS).unref();
  }

  /** Sends what is waiting. Resolves after `timeoutMs` at the latest. */
  async flush(timeoutMs: number): Promise<void> {
    const timer = setTimeout(() => this.#ending.abort(), timeoutMs);
    await this.#sending;
    await this.#sendNext();
    clearTimeout(timer);
    this.#agent.destroy();
    this.#logLost('the process ends');
  }

  /** Sends one batch at a time. */
  #sendNext(): Promise<void> | undefined {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#count > 0) this.#sending ??= this.#send();
    return this.#sending;
  }

  async #send(): Promise<void> {
    const count = this.#count;
    const body = encodeBatch(this.#waiting);
    this.#waiting = new Map();
    this.#count = this.#bytes = 0;
    try {
      const rejected = rejectedIn(await this.#post(body));
      if (rejected > 0) this.#lose(rejected, 'the receiver rejected them');
    } catch (err) {
      const { name, message, code } = err as NodeJS.ErrnoException;
      const isLate = name === 'AbortError';
      this.#lose(count, isLate ? 'the receiver did not answer in time' : message || String(code));
    }
    this.#sending = undefined;
    if (this.#count > 0) this.#timer ??= setTimeout(() => this.#sendNext(), INTERVAL_MS).unref();
  }

  /** Resolves to the body of the reply. */
  #post(body: string): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const { url, headers } = this.#options;
    const { request } = url.protocol === 'https:' ? https : http;
    const req = request(url, {
      method: 'POST',
      agent: this.#agent,
      headers: { ...headers, 'Content-Type': 'application/json' },
      signal: AbortSignal.any([AbortSignal.timeout(TIMEOUT_MS), this.#ending.signal]),
    });
    req.on('response', (res) => readReply(res).then(resolve, reject));
    req.on('error', reject);
    req.end(body);
    return promise;
  }

  #lose(count: number, reason: string): void {
    this.#lost += count;
    if (performance.now() > this.#quietUntil) this.#logLost(reason);
  }

  #logLost(reason: string): void {
    if (this.#lost === 0) return;
    this.#quietUntil = performance.now() + LOG_INTERVAL_MS;
    this.#options.log.warn({ spans: this.#lost }, `traces: spans were dropped: ${reason}`);
    this.#lost = 0;
  }
}

async function readReply(res: http.IncomingMessage): Promise<string> {
  let reply = '';
  for await (const chunk of res.setEncoding('utf8')) {
    reply += chunk;
    if (reply.length > MAX_REPLY) throw new Error('the reply is too long');
  }
  const { statusCode = 0 } = res;
  if (statusCode >= 200 && statusCode < 300) return reply;
  throw new Error(`the receiver answered ${statusCode}`);
}

/** The number of spans that the receiver has left out of a batch, from its reply. */
function rejectedIn(reply: string): number {
  try {
    return Number(JSON.parse(reply).partialSuccess?.rejectedSpans ?? 0);
  } catch {
    return 0; // some receivers answer with no JSON
  }
}

function encodeBatch(spansOf: Map<Resource, string[]>): string {
  const all = [...spansOf].map(([resource, spans]) => {
    const attributes = JSON.stringify(encodeAttributes(resource()));
    const scope = `"scope":{"name":"shared-state"}`;
    return `{"resource":{"attributes":${attributes}},"scopeSpans":[{${scope},"spans":[${spans}]}]}`;
  });
  return `{"resourceSpans":[${all}]}`;
}

function encodeSpan({ startMs, endMs, attributes, isError, ...same }: Span): object {
  return {
    ...same,
    startTimeUnixNano: nanoseconds(startMs),
    endTimeUnixNano: nanoseconds(Math.max(startMs, endMs)),
    attributes: encodeAttributes(attributes),
    status: isError ? { code: STATUS_ERROR } : {},
  };
}

/** A number cannot hold nanoseconds since 1970, but microseconds. */
function nanoseconds(ms: number): string {
  return `${Math.round(ms * 1000)}000`;
}

function encodeAttributes(attributes: Attributes): object[] {
  return Object.entries(attributes).flatMap(([key, value]) => {
    if (value === undefined) return [];
    return { key, value: typeof value === 'number' ? { intValue: value } : { stringValue: value } };
  });
}
