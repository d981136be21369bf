import { AsyncLocalStorage } from 'node:async_hooks';
import { randomBytes, randomUUID } from 'node:crypto';
import { subscribe } from 'node:diagnostics_channel';
import type { ServerResponse } from 'node:http';
import type { Request } from 'express';
import type { Logger } from 'pino';
import { ErrorReply, type RedisScripts } from 'redis';
import { type Resource, SpanExporter, SpanKind } from './otlp.ts';
import { routeOf } from './route.ts';
import {
  createSampler,
  type IsSampled,
  type TracingConfig,
  tracingVariables,
} from './tracing-config.ts';

/** Milliseconds that a shutdown allows for the last spans. */
const FLUSH_MS = 1000;
/** The most commands of one request that have a span: an event stream goes on for hours. */
const MAX_COMMANDS = 128;
/** Milliseconds by which the clock of the spans may differ from that of the system. */
const MAX_DRIFT_MS = 50;

/** Monitoring asks for these paths every few seconds. */
const UNTRACED = new Set(['/livez', '/readyz', '/metrics']);

const TRACE_ID = /^(?!0{32})[\da-f]{32}$/;
/** https://www.w3.org/TR/trace-context/#traceparent-header; a later version may be longer. */
const TRACEPARENT =
  /^(?:00(?=.{53}$)|(?!00|ff)[\da-f]{2})-(?!0{32})([\da-f]{32})-(?!0{16})([\da-f]{16})-([\da-f]{2})(?:-|$)/;
/** How an error of Redis begins; arguments may follow. */
const ERROR_CODE = /^[A-Z]+(?= |$)/;
/** When nginx received the request, in seconds since 1970. */
const REQUEST_START = /^t=(\d+\.\d{3})$/;

/** Any other one is `_OTHER`. */
const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'QUERY']);

/** What tracing needs. */
export interface TracingOptions {
  config: TracingConfig;
  /** The receiver of the spans. */
  url: URL;
  /** The name of the service, if the settings have none. */
  service: string;
  instance: { name: string };
  log: Logger;
}

/** A request whose spans are exported. */
interface TracedRequest {
  traceId: string;
  spanId: string;
  parentSpanId: string | undefined;
  /** Of nginx, if it sent the request. */
  nginx: { spanId: string; startMs: number } | undefined;
  startMs: number;
  peer: { address: string | undefined; port: number | undefined };
  /** The number of its commands that have a span. */
  commands: number;
  hasEnded: boolean;
}

/** What node-redis tells of a command, or of a transaction. */
interface Command {
  command?: string;
  /** Never exported; one of them may be a script, which has a name. */
  args?: readonly string[];
  batchMode?: string;
  batchSize?: number;
  database: number;
  serverAddress: string;
  serverPort: number | undefined;
  error?: unknown;
}

/**
 * Traces the requests of this process and their Redis commands, by the diagnostics channels of Node
 * and node-redis. A trace has the id that nginx gave the request, so that it includes every try.
 * Spans hold nothing that a client has chosen: no path, no header, no argument of a command.
 */
export class Tracing {
  #exporter: SpanExporter;
  #isSampled: IsSampled;
  #own: Resource;
  #nginx: Resource;
  #current = new AsyncLocalStorage<TracedRequest | undefined>();
  #commands = new WeakMap<object, { request: TracedRequest; startMs: number }>();
  #scriptNames = new Map<string, string>();

  constructor({ config, url, service, instance, log }: TracingOptions) {
    const { OTEL_SERVICE_NAME: name, OTEL_RESOURCE_ATTRIBUTES: given } = config;
    const headers = config.OTEL_EXPORTER_OTLP_HEADERS ?? {};
    this.#exporter = new SpanExporter({ url, headers, log });
    this.#isSampled = createSampler(config);
    this.#own = () => ({
      'service.name': service,
      'service.instance.id': instance.name,
      ...given,
      ...(name && { 'service.name': name }),
    });
    this.#nginx = () => ({ ...given, 'service.name': 'nginx' });
    warnOfUnsupported(log);
    subscribe('http.server.request.start', (message) => {
      const { request, response } = message as { request: Request; response: ServerResponse };
      this.#begin(request, response);
    });
    for (const kind of ['command', 'batch']) {
      subscribe(`tracing:node-redis:${kind}:start`, (command) => this.#send(command as Command));
      subscribe(`tracing:node-redis:${kind}:asyncEnd`, (command) =>
        this.#reply(command as Command),
      );
    }
  }

  /** Shows these scripts by their names. */
  nameScripts(scripts: RedisScripts): void {
    for (const [name, { SHA1, SCRIPT }] of Object.entries(scripts)) {
      for (const argument of [SHA1, SCRIPT]) this.#scriptNames.set(String(argument), name);
    }
  }

  /** Sends the last spans. Resolves within a second. */
  async flush(): Promise<void> {
    await this.#exporter.flush(FLUSH_MS);
  }

  #begin(request: Request, response: ServerResponse): void {
    const { traceparent, 'x-request-id': given } = request.headers;
    const caller = traceparent === undefined ? undefined : callerIn(String(traceparent));
    const requestId = typeof given === 'string' && TRACE_ID.test(given) ? given : undefined;
    const traceId = caller?.traceId ?? requestId ?? randomBytes(16).toString('hex');
    if (!this.#isSampled(traceId, caller?.isSampled) || UNTRACED.has(request.url)) {
      // Node may have read the request before it on the same connection in the same step.
      if (this.#current.getStore()) this.#current.enterWith(undefined);
      return;
    }
    const { remoteAddress: address, remotePort: port } = request.socket;
    const startMs = now();
    const traced: TracedRequest = {
      traceId,
      spanId: newSpanId(),
      parentSpanId: caller?.spanId,
      nginx: requestId === undefined ? undefined : spanOfNginx(requestId, request, startMs),
      startMs,
      peer: { address, port },
      commands: 0,
      hasEnded: false,
    };
    this.#current.enterWith(traced);
    response.once('close', () => this.#end(traced, request, response));
  }

  #end(traced: TracedRequest, request: Request, response: ServerResponse): void {
    traced.hasEnded = true;
    const { traceId, spanId, parentSpanId, nginx, peer, startMs } = traced;
    const method = METHODS.has(request.method) ? request.method : '_OTHER';
    const route = routeOf(request);
    const status = response.headersSent ? response.statusCode : undefined;
    const isError = status === undefined || status >= 500;
    const exchange = {
      'http.request.method': method,
      'http.response.status_code': status,
      'error.type': isError ? String(status ?? 'aborted') : undefined,
      'url.scheme': request.headers['x-forwarded-proto'] === 'https' ? 'https' : 'http',
    };
    const common = { traceId, kind: SpanKind.server, endMs: now(), isError };
    this.#exporter.add(this.#own, {
      ...common,
      spanId,
      parentSpanId: nginx?.spanId ?? parentSpanId,
      name: route === undefined ? nameOf(method) : `${nameOf(method)} ${route}`,
      startMs,
      attributes: {
        ...exchange,
        'http.route': route,
        'network.protocol.version': request.httpVersion,
        'network.peer.address': peer.address,
        'network.peer.port': peer.port,
      },
    });
    // nginx passes on no reply that names another location.
    const isPassedOn = response.writableFinished && !response.hasHeader('X-Accel-Redirect');
    if (!nginx || !isPassedOn) return;
    const span = { ...common, ...nginx, parentSpanId, name: nameOf(method), attributes: exchange };
    // After a pause, Node reads the request first, and in its next turn that nginx has given up. Then
    // another instance, which nginx asked instead, tells of nginx.
    const tell = () => {
      if (!request.errored && !request.socket.readableEnded) this.#exporter.add(this.#nginx, span);
    };
    setImmediate(setImmediate, tell);
  }

  #send(command: Command): void {
    const request = this.#current.getStore();
    // Work that a request has started, such as a timer, may go on after its reply.
    if (!request || request.hasEnded || request.commands >= MAX_COMMANDS) return;
    request.commands += 1;
    this.#commands.set(command, { request, startMs: now() });
  }

  #reply(command: Command): void {
    const sent = this.#commands.get(command);
    if (!sent) return;
    const { request, startMs } = sent;
    const { args = [], batchMode, batchSize, database, serverAddress, serverPort, error } = command;
    const operation = command.command ?? batchMode ?? '_OTHER';
    const script = operation.startsWith('EVAL') ? this.#scriptNames.get(args[1] ?? '') : undefined;
    const code = error instanceof ErrorReply ? ERROR_CODE.exec(error.message)?.[0] : undefined;
    this.#exporter.add(this.#own, {
      traceId: request.traceId,
      spanId: newSpanId(),
      parentSpanId: request.spanId,
      name: script === undefined ? operation : `${operation} ${script}`,
      kind: SpanKind.client,
      startMs,
      endMs: now(),
      isError: error !== undefined,
      attributes: {
        'db.system.name': 'redis',
        'db.namespace': String(database),
        'db.operation.name': operation,
        'db.operation.batch.size': batchSize,
        'db.stored_procedure.name': script,
        'db.response.status_code': code,
        'error.type': error === undefined ? undefined : (code ?? (error as Error).name),
        'server.address': serverAddress,
        'server.port': serverPort,
      },
    });
  }
}

/** Reads the header of a caller that traces too; `undefined` if it is not valid. */
function callerIn(traceparent: string) {
  const [, traceId, spanId, flags = ''] = TRACEPARENT.exec(traceparent) ?? [];
  if (traceId === undefined || spanId === undefined) return undefined;
  return { traceId, spanId, isSampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

/**
 * The span of nginx, which exports none itself. Its id comes from the id of the request, so that all
 * instances that nginx tries make it the parent of theirs.
 */
function spanOfNginx(requestId: string, { headers }: Request, startMs: number) {
  const [, seconds] = REQUEST_START.exec(String(headers['x-request-start'])) ?? [];
  if (seconds === undefined) return undefined;
  return { spanId: requestId.slice(0, 16), startMs: Math.min(Number(seconds) * 1000, startMs) };
}

/** The method in the name of a span. */
function nameOf(method: string): string {
  return method === '_OTHER' ? 'HTTP' : method;
}

/** 64 random bits. Node makes the bytes of many UUIDs at once. */
function newSpanId(): string {
  const uuid = randomUUID();
  return uuid.slice(0, 8) + uuid.slice(-8);
}

let originMs = performance.timeOrigin;

/**
 * Milliseconds since 1970, with fractions. It follows the system clock only if that is adjusted by
 * more than rounding, for example after the machine slept.
 */
function now(): number {
  const driftMs = Date.now() - (originMs + performance.now());
  if (Math.abs(driftMs) > MAX_DRIFT_MS) originMs += driftMs;
  return originMs + performance.now();
}

function warnOfUnsupported(log: Logger): void {
  const names = Object.keys(process.env).filter((name) => name.startsWith('OTEL_'));
  const unknown = names
    .filter((name) => !(name.replace(/_FILE$/, '') in tracingVariables.shape))
    .join(', ');
  if (unknown) log.warn(`traces: these settings have no effect: ${unknown}`);
}
