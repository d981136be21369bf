import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { type Span, SpanExporter, SpanKind } from '../../services/shared/process/otlp.ts';
import { eventually } from '../../tools/lib/eventually.ts';
import { freePort } from '../../tools/stack/port.ts';
import { range } from '../support/proofs.ts';
import { TraceReceiver } from '../support/trace-receiver.ts';

const resource = () => ({ 'service.name': 'test' });
const span = (i: number): Span => ({
  traceId: i.toString(16).padStart(32, 'a'),
  spanId: i.toString(16).padStart(16, 'b'),
  parentSpanId: undefined,
  name: `span ${i}`,
  kind: SpanKind.server,
  startMs: 1_800_000_000_000.125,
  endMs: 1_800_000_000_001.5,
  attributes: { text: 'a"b', number: 7, missing: undefined },
  isError: i === 2,
});

function exporterTo(url: string) {
  const lines: { spans: number; msg: string }[] = [];
  const log = pino({ base: null }, { write: (line) => lines.push(JSON.parse(line)) });
  const exporter = new SpanExporter({ url: new URL(url), headers: { 'x-key': 'k' }, log });
  return { exporter, lines };
}

describe('the export of spans', () => {
  it('should follow the definition of the protocol', async () => {
    await using receiver = await TraceReceiver.start();
    const { exporter, lines } = exporterTo(receiver.url);
    for (const i of [1, 2]) exporter.add(resource, span(i));
    await exporter.flush(5000);
    expect(receiver.faults).toEqual([]);
    expect(receiver.headers[0]).toMatchObject({ 'content-type': 'application/json', 'x-key': 'k' });
    expect(receiver.spans).toHaveLength(2);
    expect(receiver.spans[1]).toEqual({
      resource: { 'service.name': 'test' },
      traceId: 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa2',
      spanId: 'bbbbbbbbbbbbbbb2',
      name: 'span 2',
      kind: 2,
      startTimeUnixNano: '1800000000000125000',
      endTimeUnixNano: '1800000000001500000',
      attributes: { text: 'a"b', number: 7 },
      status: { code: 2 },
    });
    expect(lines).toEqual([]);
  });

  it('should send a span within two seconds, and many at once', async () => {
    await using receiver = await TraceReceiver.start();
    const { exporter } = exporterTo(receiver.url);
    exporter.add(resource, span(1));
    await eventually(() => expect(receiver.spans).toHaveLength(1), 2000);
    for (const i of range(1, 600)) exporter.add(resource, span(i));
    await exporter.flush(5000);
    expect(receiver.spans).toHaveLength(601);
    expect(receiver.bodies.length).toBeLessThanOrEqual(3);
  });

  it('should keep at most 4096 spans for a receiver that hangs, and count the others', async () => {
    await using receiver = await TraceReceiver.start(0);
    const { exporter, lines } = exporterTo(receiver.url);
    for (const i of range(1, 10_000)) exporter.add(resource, span(i));
    await eventually(() => expect(receiver.bodies).toHaveLength(1));
    const from = performance.now();
    await exporter.flush(300);
    expect(performance.now() - from).toBeLessThan(1000);
    expect(lines.reduce((sum, { spans }) => sum + spans, 0)).toBe(10_000);
    expect(lines.map(({ msg }) => msg)).toEqual([
      expect.stringContaining('too slow'),
      expect.stringContaining('the process ends'),
    ]);
  });

  it.each([
    ['is away', async () => `http://127.0.0.1:${await freePort()}`, /ECONNREFUSED/],
    ['refuses', async () => (await TraceReceiver.start(503)).url, /answered 503/],
  ])('should log once how many spans are lost if the receiver %s', async (_, start, reason) => {
    const { exporter, lines } = exporterTo(await start());
    for (const i of range(1, 700)) exporter.add(resource, span(i));
    await exporter.flush(5000);
    expect(lines[0]?.msg).toMatch(reason);
    expect(lines.reduce((sum, { spans }) => sum + spans, 0)).toBe(700);
    expect(lines.length).toBeLessThanOrEqual(2);
  });

  it('should count the spans that the receiver rejects', async () => {
    const receiver = createServer((req, res) => {
      req.resume().on('end', () => res.end('{"partialSuccess":{"rejectedSpans":"3"}}'));
    });
    await once(receiver.listen(0, '127.0.0.1'), 'listening');
    const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`;
    const { exporter, lines } = exporterTo(url);
    for (const i of range(1, 5)) exporter.add(resource, span(i));
    await exporter.flush(5000);
    receiver.close();
    expect(lines).toMatchObject([{ spans: 3, msg: expect.stringContaining('rejected') }]);
  });
});
