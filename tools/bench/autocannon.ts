import autocannon from 'autocannon';
import { StackError } from '../lib/errors.mjs';
import { percentile } from '../lib/statistics.ts';

/** Seconds after which a request has failed. */
export const TIMEOUT_SECONDS = 10;
/**
 * Requests after which a connection is replaced. nginx closes a connection after 1000 requests, and
 * a request sent at that moment is lost. Replacing it earlier leaves one reply in 900 uncounted.
 */
const RECONNECT_AFTER = 900;

/** A request of a load. */
export interface Request {
  path: string;
  /** The JSON body of a POST request; a GET request without one. */
  body?: string | undefined;
  cookie?: string;
}

/**
 * The least number of requests that a connection sends in turn. Of a longer list each connection
 * sends its own part, because autocannon prepares all requests of a connection beforehand.
 */
const SHORT_LIST = 100;

/** A load to generate: each connection sends the next request as soon as it has a reply. */
export interface Job {
  url: string;
  connections: number;
  seconds: number;
  /** Each connection begins with another one. */
  requests: Request[];
}

/** The result of a load. */
export interface Load {
  /** The measured duration. */
  seconds: number;
  /** Replies with 200. */
  requests: number;
  /** Replies with another status. */
  others: number;
  /** Connection errors and timeouts. */
  errors: number;
  p50Ms: number;
  p99Ms: number;
}

/** Generates a load with autocannon. */
export async function runAutocannon({ url, connections, seconds, requests }: Job): Promise<Load> {
  const list = requests.map(({ path, cookie, body }) => ({
    path,
    ...(body && { method: 'POST' as const, body }),
    headers: {
      accept: '*/*',
      ...(cookie && { cookie }),
      ...(body && { 'content-type': 'application/json' }),
    },
  }));
  const times: number[] = [];
  let others = 0;
  let clients = 0;
  const { duration, errors } = await autocannon({
    url,
    connections,
    duration: seconds,
    timeout: TIMEOUT_SECONDS,
    sampleInt: 100, // autocannon stops at the end of a sample
    reconnectRate: RECONNECT_AFTER,
    setupClient: (client) => {
      const first = Math.floor((clients * list.length) / connections);
      clients += 1;
      const length = Math.max(SHORT_LIST, Math.ceil(list.length / connections));
      client.setRequests([...list.slice(first), ...list.slice(0, first)].slice(0, length));
      // autocannon's own histogram has whole milliseconds only.
      client.on('response', (status, _bytes, ms) => {
        if (status === 200) times.push(ms);
        else others += 1;
      });
    },
  });
  const [p50Ms, p99Ms] = [percentile(times, 0.5), percentile(times, 0.99)];
  return { seconds: duration, requests: times.length, others, errors, p50Ms, p99Ms };
}

/** @throws {StackError} if there are no replies, or if a request is not answered with 200 */
export function assertAllOk(name: string, { requests, others, errors }: Load): void {
  if (requests > 0 && others + errors === 0) return;
  throw new StackError(
    `${name}: besides ${requests} replies with 200 there were ${others} with another status ` +
      `and ${errors} connection errors or timeouts`,
  );
}

/**
 * Generates a load and measures the throughput.
 *
 * @returns replies per second, and the measured duration
 * @throws {StackError} if a request is not answered with 200
 */
export async function saturate(
  url: string,
  connections: number,
  seconds: number,
  requests: Request[],
): Promise<{ perSecond: number; seconds: number }> {
  const load = await runAutocannon({ url, connections, seconds, requests });
  assertAllOk(url, load);
  return { perSecond: load.requests / load.seconds, seconds: load.seconds };
}
