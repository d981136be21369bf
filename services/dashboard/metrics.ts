import type { RequestHandler } from 'express';
import { collectDefaultMetrics, Registry } from 'prom-client';

/** `GET /metrics`: the measurements of this process as Prometheus text. */
export function exposeMetrics(instance: { name: string }): RequestHandler {
  const registry = new Registry();
  registry.setDefaultLabels({ instance: instance.name });
  collectDefaultMetrics({ register: registry });
  return async (_req, res) => {
    res.type(registry.contentType).send(await registry.metrics());
  };
}
