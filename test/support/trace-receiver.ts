import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { z } from 'zod';

const hex = (digits: number) => z.string().regex(new RegExp(`^(?!0+$)[0-9a-f]{${digits}}$`));
const nanoseconds = z.string().regex(/^\d{19}$/);
const value = z.union([
  z.strictObject({ stringValue: z.string() }).transform((it) => it.stringValue),
  z
    .strictObject({ intValue: z.union([z.int(), z.string().regex(/^\d+$/)]) })
    .transform((it) => Number(it.intValue)),
]);
const attributes = z
  .array(z.strictObject({ key: z.string(), value }))
  .default([])
  .transform((pairs) => Object.fromEntries(pairs.map((pair) => [pair.key, pair.value])));

/** https://github.com/open-telemetry/opentelemetry-proto: the parts that are used here. */
const request = z.strictObject({
  resourceSpans: z.array(
    z.strictObject({
      resource: z.strictObject({ attributes }),
      scopeSpans: z.array(
        z.strictObject({
          scope: z.strictObject({ name: z.string() }),
          spans: z.array(
            z.strictObject({
              traceId: hex(32),
              spanId: hex(16),
              parentSpanId: hex(16).or(z.literal('')).optional(),
              name: z.string().min(1),
              kind: z.int(),
              startTimeUnixNano: nanoseconds,
              endTimeUnixNano: nanoseconds,
              attributes,
              status: z.strictObject({ code: z.int().optional() }),
            }),
          ),
        }),
      ),
    }),
  ),
});

/** A span, with the attributes of its source. */
export type ReceivedSpan = z.output<
  typeof request
>['resourceSpans'][number]['scopeSpans'][number]['spans'][number] & {
  resource: Record<string, string | number>;
};

/** Receives traces by OTLP/HTTP in JSON, and refuses a batch with an unknown or a missing field. */
export class TraceReceiver implements AsyncDisposable {
  readonly spans: ReceivedSpan[] = [];
  /** The bodies, as they came. */
  readonly bodies: string[] = [];
  readonly headers: IncomingHttpHeaders[] = [];
  /** Why batches were refused. */
  readonly faults: string[] = [];
  #server: Server;

  /** @param status with another one than 200 it refuses everything; 0 never answers */
  static async start(status = 200): Promise<TraceReceiver> {
    const receiver = new TraceReceiver(status);
    await once(receiver.#server.listen(0, '127.0.0.1'), 'listening');
    return receiver;
  }

  private constructor(status: number) {
    this.#server = createServer(async (req, res) => {
      const body = await text(req);
      this.bodies.push(body);
      this.headers.push(req.headers);
      if (status === 0) return;
      const isKept = status === 200 && req.method === 'POST' && this.#keep(body);
      res.writeHead(isKept ? 200 : status === 200 ? 400 : status).end('{}');
    });
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** The spans of a trace, in the order of their start. */
  trace(id: unknown): ReceivedSpan[] {
    const its = this.spans.filter(({ traceId }) => traceId === id);
    return its.sort((a, b) => a.startTimeUnixNano.localeCompare(b.startTimeUnixNano));
  }

  #keep(body: string): boolean {
    const { data, error } = request.safeParse(JSON.parse(body));
    if (error) this.faults.push(z.prettifyError(error));
    for (const { resource, scopeSpans } of data?.resourceSpans ?? []) {
      const spans = scopeSpans.flatMap((scope) => scope.spans);
      this.spans.push(...spans.map((span) => ({ ...span, resource: resource.attributes })));
    }
    return data !== undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
