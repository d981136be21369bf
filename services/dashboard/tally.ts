import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Request, Response } from 'express';
import { visitorHash } from '../app/visitor-hash.ts';
import { Histogram } from './histogram.ts';
import type { Activity, Kind } from './messages.ts';

const FINISHED = 'http.server.response.finish';
const KINDS: Kind[] = ['all', 'views', 'hits', 'misses'];

/**
 * Counts the replies of this instance while somebody watches. While nobody does, it is not there for
 * a request: no listener, nothing to ask.
 */
export class Tally {
  #isInRoom: (id: string) => boolean;
  #isCounting = false;
  #since = 0;
  #requests = 0;
  #latency = new Map(KINDS.map((kind) => [kind, new Histogram()]));
  #served = new Map<string, number>();

  /** @param isInRoom whether somebody, by the hash of a session, is one of those to tell about */
  constructor(isInRoom: (id: string) => boolean) {
    this.#isInRoom = isInRoom;
  }

  start(): void {
    if (this.#isCounting) return;
    this.#isCounting = true;
    this.#since = performance.now();
    subscribe(FINISHED, this.#note);
  }

  stop(): void {
    if (!this.#isCounting) return;
    unsubscribe(FINISHED, this.#note);
    this.take();
    this.#isCounting = false;
  }

  /** What was counted since the last time; `undefined` where nothing is counted now. */
  take(): Activity | undefined {
    if (!this.#isCounting) return undefined;
    const now = performance.now();
    const latency: Activity['latency'] = {};
    for (const [kind, histogram] of this.#latency) {
      const counts = histogram.take();
      if (counts.length > 0) latency[kind] = counts;
    }
    const activity = {
      ms: now - this.#since,
      requests: this.#requests,
      latency,
      served: [...this.#served],
    };
    this.#since = now;
    this.#requests = 0;
    this.#served.clear();
    return activity;
  }

  #note = (message: unknown): void => {
    const { request: req, response: res } = message as { request: Request; response: Response };
    const isOfVisitor = req.headers['x-request-start'] !== undefined; // nginx says so, probes do not
    if (!isOfVisitor || req.receivedAt === undefined || isOfPage(req)) return;
    const ms = performance.now() - req.receivedAt;
    this.#requests += 1;
    this.#latency.get('all')?.observe(ms);
    const kind = kindOf(req, res);
    if (kind) this.#latency.get(kind)?.observe(ms);
    if (req.counted) {
      const id = visitorHash(req.counted.id);
      if (this.#isInRoom(id)) this.#served.set(id, req.counted.views);
    }
  };
}

/** Tells whether a request was made by the page for itself. */
function isOfPage(req: Request): boolean {
  return /^\/(board|events|instances|room)\b/.test(req.path);
}

function kindOf(req: Request, res: Response): Kind | undefined {
  if (req.counted) return 'views';
  const isLookup = req.method === 'GET' && req.path.startsWith('/data') && res.statusCode === 200;
  if (!isLookup) return undefined;
  const result = res.getHeader('X-Cache'); // not to be seen on a reply that was prepared: a hit
  return result === 'MISS' || result === 'BYPASS' ? 'misses' : 'hits';
}
