import { getHeapStatistics } from 'node:v8';
import type { RequestHandler } from 'express';
import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';

/**
 * The metrics of this process: its CPU time, memory, event loop and name. No series has a label
 * `instance`, which Prometheus sets itself; `target_info` tells the name of each target.
 *
 * @see https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/
 */
export function processMetrics(instance: { name: string }): Registry {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  new Gauge({
    name: 'nodejs_heap_size_limit_bytes',
    help: 'Heap size at which Node ends the process (--max-old-space-size)',
    registers,
  }).set(getHeapStatistics().heap_size_limit);
  new Gauge({
    name: 'target_info',
    help: 'The name of this process, which may change',
    labelNames: ['service_instance_id'],
    registers,
    collect() {
      this.reset();
      this.set({ service_instance_id: instance.name }, 1);
    },
  });
  return registry;
}

/** `GET /metrics`: a registry as Prometheus text. */
export function exposeMetrics(registry: Registry): RequestHandler {
  return async (_req, res) => {
    res.type(registry.contentType).send(await registry.metrics());
  };
}
