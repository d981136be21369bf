import { z } from 'zod';
import type { HeartbeatRecord, OriginBehavior } from '../app/heartbeat/record.ts';
import { addBuckets, type Buckets, countOf, quantile } from './histogram.ts';
import type { CacheTotals, InstanceView, Overview, Switches } from './protocol.ts';
import { type RequestKind, type Sample, sampleOf } from './sample.ts';

/** Rates and percentiles are taken over this time: two scrapes and their jitter. */
const WINDOW_MS = 2500;
/** A scrape that takes longer has failed; shorter than the time between two. */
const SCRAPE_TIMEOUT_MS = 900;
/** An instance that answered a scrape so recently is not dead, though Redis has lost its heartbeat. */
const ANSWERED_MS = 1500;
/** A dead instance is shown for this time. */
const DEAD_MS = 30_000;

/** {@link HeartbeatRecord} as read: anything that reaches Redis may have written it. */
const heartbeatRecord = z.object({
  name: z.string().regex(/^[\w.-]{1,64}$/),
  owner: z.string(),
  address: z.string().regex(/^[\w.:[\]-]+:\d{1,5}$/),
  state: z.enum(['joining', 'ready', 'draining']),
});

interface Instance {
  record: HeartbeatRecord;
  diedAt: number | undefined;
  isScraping: boolean;
  /** Those of the last {@link WINDOW_MS}, oldest first, all of one process. */
  samples: Sample[];
}

/** The instances that were seen alive, with the results of scraping them. */
export class Instances {
  #byName = new Map<string, Instance>();
  /** Cache totals of processes that have ended. */
  #ended = totalsOf([]);

  /**
   * Takes over the heartbeats found in Redis.
   *
   * @param canTrustAbsence whether an instance without a heartbeat is dead, or has ended
   */
  update(records: string[], canTrustAbsence: boolean): void {
    const now = performance.now();
    const alive = new Map(records.flatMap(parseRecord).map((record) => [record.name, record]));
    for (const [name, record] of alive) {
      const known = this.#byName.get(name);
      if (known) Object.assign(known, { record, diedAt: undefined });
      else this.#byName.set(name, { record, diedAt: undefined, isScraping: false, samples: [] });
    }
    if (!canTrustAbsence) return;
    for (const [name, known] of this.#byName) {
      const answeredAt = known.samples.at(-1)?.at ?? -Infinity;
      if (alive.has(name)) continue;
      if (known.record.state !== 'draining' && now - answeredAt > ANSWERED_MS) known.diedAt ??= now;
      const isOver = known.record.state === 'draining' || now - (known.diedAt ?? now) > DEAD_MS;
      if (!isOver) continue;
      this.#byName.delete(name);
      this.#keepTotals(known);
    }
  }

  /** Scrapes every instance that is not dead. Resolves when each has answered or failed. */
  async scrape(): Promise<void> {
    const alive = [...this.#byName.values()].filter(({ diedAt }) => diedAt === undefined);
    await Promise.all(alive.map((known) => this.#scrape(known)));
  }

  views(): InstanceView[] {
    return this.#sorted().map(({ record: { name, state }, diedAt, samples }) => {
      const last = samples.at(-1);
      const uptimeSeconds = last ? Math.max(0, Math.floor(Date.now() / 1000 - last.startedAt)) : 0;
      const { latency, seconds } = recent(diedAt === undefined ? samples : [], 'all');
      return {
        name,
        state: diedAt === undefined ? state : 'dead',
        uptimeSeconds,
        memoryBytes: last?.memoryBytes ?? 0,
        requestsPerSecond: seconds === 0 ? 0 : countOf(latency) / seconds,
        p99Ms: p99Of(latency),
      };
    });
  }

  latency(): Overview['latency'] {
    const p99 = (kind: RequestKind) => {
      const sum: Buckets = new Map();
      for (const { samples } of this.#byName.values())
        addBuckets(sum, recent(samples, kind).latency);
      return p99Of(sum);
    };
    return { views: p99('views'), hits: p99('hits'), misses: p99('misses') };
  }

  cache(): Overview['cache'] {
    const last = [...this.#byName.values()].flatMap(({ samples }) => samples.at(-1)?.cache ?? []);
    const totals = totalsOf([this.#ended, ...last]);
    const { localHits, redisHits, sharedLoads, stale, misses, bypasses } = totals;
    const hits = localHits + redisHits + sharedLoads + stale;
    const lookups = hits + misses + bypasses;
    return { ...totals, hitRatio: lookups === 0 ? null : hits / lookups };
  }

  /** The settings of the first instance by name; they are the same on all but during a deployment. */
  get switches(): Switches {
    return this.#lastSample()?.switches ?? {};
  }

  /** How the origin behaves on the first instance by name. */
  get origin(): OriginBehavior | null {
    return this.#lastSample()?.origin ?? null;
  }

  #lastSample(): Sample | undefined {
    const alive = this.#sorted().filter(({ diedAt }) => diedAt === undefined);
    return alive.map(({ samples }) => samples.at(-1)).find(Boolean);
  }

  #sorted(): Instance[] {
    return [...this.#byName.values()].sort((a, b) =>
      a.record.name.localeCompare(b.record.name, 'en', { numeric: true }),
    );
  }

  async #scrape(known: Instance): Promise<void> {
    if (known.isScraping) return;
    known.isScraping = true;
    try {
      const signal = AbortSignal.timeout(SCRAPE_TIMEOUT_MS);
      const url = `http://${known.record.address}/metrics`;
      const reply = await fetch(url, { signal, redirect: 'error' });
      if (reply.ok) this.#add(known, sampleOf(await reply.text()));
    } catch {
      // It hangs or has ended: its heartbeat tells.
    } finally {
      known.isScraping = false;
    }
  }

  #add(known: Instance, sample: Sample): void {
    const last = known.samples.at(-1);
    if (last && last.startedAt !== sample.startedAt) {
      this.#keepTotals(known);
      known.samples = [];
    }
    known.samples = [...known.samples, sample].filter(({ at }) => sample.at - at <= WINDOW_MS);
  }

  #keepTotals({ samples }: Instance): void {
    const last = samples.at(-1);
    if (last) this.#ended = totalsOf([this.#ended, last.cache]);
  }
}

function parseRecord(json: string): HeartbeatRecord[] {
  try {
    return [heartbeatRecord.parse(JSON.parse(json))];
  } catch {
    return [];
  }
}

/** What happened between the first and the last sample; nothing if they are too old. */
function recent(samples: Sample[], kind: RequestKind): { latency: Buckets; seconds: number } {
  const [first, last] = [samples[0], samples.at(-1)];
  if (!first || !last || performance.now() - last.at > WINDOW_MS) {
    return { latency: new Map(), seconds: 0 };
  }
  const latency = addBuckets(new Map(last.latency[kind]), first.latency[kind], -1);
  return { latency, seconds: (last.at - first.at) / 1000 };
}

function p99Of(latency: Buckets): number | null {
  const seconds = quantile(0.99, latency);
  return seconds === null ? null : seconds * 1000;
}

function totalsOf(all: CacheTotals[]): CacheTotals {
  const sum = (name: keyof CacheTotals) => all.reduce((total, one) => total + one[name], 0);
  return {
    localHits: sum('localHits'),
    redisHits: sum('redisHits'),
    sharedLoads: sum('sharedLoads'),
    stale: sum('stale'),
    misses: sum('misses'),
    bypasses: sum('bypasses'),
    originCalls: sum('originCalls'),
    originFailures: sum('originFailures'),
  };
}
