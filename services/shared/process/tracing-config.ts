import { z } from 'zod';

const SAMPLERS = ['always_on', 'always_off', 'traceidratio'] as const;

/** Parses `key=value,key=value`, percent-encoded. */
function parsePairs(text: string): [key: string, value: string][] {
  return text.split(',').map((pair) => {
    const [, key = '', value = ''] = /^\s*([^=\s]+)\s*=\s*(.*?)\s*$/.exec(pair) ?? [];
    if (key === '') throw new TypeError('not a pair');
    return [decodeURIComponent(key), decodeURIComponent(value)];
  });
}

function pairs(check: (key: string, value: string) => void = () => {}) {
  return z.string().transform((text, context) => {
    try {
      const parsed = parsePairs(text);
      for (const [key, value] of parsed) check(key, value);
      return Object.fromEntries(parsed);
    } catch {
      context.addIssue({ code: 'custom', message: '' });
      return z.NEVER;
    }
  });
}

const endpoint = z.url({ protocol: /^https?$/ }).optional();

/**
 * The environment variables of tracing, as OpenTelemetry names them.
 * @see https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
 */
export const tracingVariables = z.object({
  OTEL_EXPORTER_OTLP_ENDPOINT: endpoint.meta({
    allowed: 'the URL of the receiver, without /v1/traces: http://localhost:4318',
    fallback: 'off: nothing is traced',
    secret: true,
  }),
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: endpoint.meta({
    allowed: 'the same, the whole URL: http://localhost:4318/v1/traces',
    secret: true,
  }),
  OTEL_EXPORTER_OTLP_HEADERS: pairs((name, value) => void new Headers([[name, value]]))
    .optional()
    .meta({ allowed: 'headers for the receiver: name=value,name=value', secret: true }),
  OTEL_EXPORTER_OTLP_PROTOCOL: z
    .enum(['http/json'])
    .default('http/json')
    .meta({ allowed: 'http/json' }),
  OTEL_SERVICE_NAME: z
    .string()
    .optional()
    .meta({ allowed: 'any text', fallback: '`app` or `dashboard`' }),
  OTEL_RESOURCE_ATTRIBUTES: pairs()
    .optional()
    .meta({ allowed: 'attributes of all spans: key=value,key=value' }),
  OTEL_TRACES_SAMPLER: z
    .enum([...SAMPLERS, ...SAMPLERS.map((name) => `parentbased_${name}` as const)])
    .default('parentbased_always_on')
    .meta({ allowed: `${SAMPLERS.join(', ')}, or one of them after parentbased_` }),
  OTEL_TRACES_SAMPLER_ARG: z
    .string()
    .regex(/^(?:0?\.\d+|[01]|1\.0+)$/)
    .transform(Number)
    .default(1)
    .meta({ allowed: 'a number from 0 to 1', unit: 'share of the requests, for traceidratio' }),
  OTEL_SDK_DISABLED: z.enum(['false', 'true']).default('false').meta({ allowed: 'false or true' }),
});

/** The settings of tracing, under the names of their environment variables. */
export type TracingConfig = z.output<typeof tracingVariables>;

/** The URL of the receiver; `undefined` if tracing is off. */
export function tracesUrl(config: TracingConfig): URL | undefined {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: base } = config;
  const url =
    config.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT ?? (base && `${base.replace(/\/$/, '')}/v1/traces`);
  return url && config.OTEL_SDK_DISABLED === 'false' ? new URL(url) : undefined;
}

/**
 * Tells whether a request is traced.
 *
 * @param parentIsSampled what the caller has decided, if there is one
 */
export type IsSampled = (traceId: string, parentIsSampled: boolean | undefined) => boolean;

/** The last digits of a trace id are random: 56 bits. */
const RANDOM_DIGITS = 14;

/**
 * Creates a sampler. A ratio depends on the trace id alone, so that all instances decide alike.
 * @see https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/
 */
export function createSampler(config: TracingConfig): IsSampled {
  const { OTEL_TRACES_SAMPLER: name, OTEL_TRACES_SAMPLER_ARG: ratio } = config;
  const isParentBased = name.startsWith('parentbased_');
  const least = leastSampled(name.endsWith('_on') ? 1 : name.endsWith('_off') ? 0 : ratio);
  return (traceId, parentIsSampled) =>
    isParentBased && parentIsSampled !== undefined
      ? parentIsSampled
      : traceId.slice(-RANDOM_DIGITS) >= least;
}

/** Trace ids are sampled from these digits on. Texts of one length compare like their numbers. */
function leastSampled(ratio: number): string {
  const all = 2 ** (4 * RANDOM_DIGITS);
  const least = Math.round((1 - ratio) * all);
  return least < all ? least.toString(16).padStart(RANDOM_DIGITS, '0') : 'none';
}
