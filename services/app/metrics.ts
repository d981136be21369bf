import type { RequestHandler } from 'express';
import { collectDefaultMetrics, Histogram, Registry } from 'prom-client';

/** The measurements of one instance. */
export interface Metrics {
  /** Times every request. */
  measure: RequestHandler;
  /** `GET /metrics`: the measurements as Prometheus text. */
  expose: RequestHandler;
}

/** Sets up the measurements of one instance; each carries its name. */
export function createMetrics(instance: string): Metrics {
  const registry = new Registry();
  registry.setDefaultLabels({ instance });
  collectDefaultMetrics({ register: registry });
  const duration = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'Time from a request to the end of its reply',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
    registers: [registry],
  });
  return {
    measure(req, res, next) {
      const end = duration.startTimer();
      res.once('finish', () => {
        // Never the path itself: whoever asks for many paths would make many time series.
        end({ method: req.method, route: req.route?.path ?? 'none', status: res.statusCode });
      });
      next();
    },
    async expose(_req, res) {
      res.type(registry.contentType).send(await registry.metrics());
    },
  };
}
