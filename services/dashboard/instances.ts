import { z } from 'zod';
import type { HeartbeatRecord, OriginBehavior } from '../app/heartbeat/record.ts';
import { addBuckets, type Buckets, countOf, quantile } from './histogram.ts';
import type { InstanceView, Overview, Switches } from './protocol.ts';
import { mapTotals, type RequestKind, type Sample, sampleOf } from './sample.ts';
import { scrape } from './scrape.ts';

/** Rates and percentiles are taken over this time: two scrapes and their jitter. */
const WINDOW_MS = 2500;
/** A scrape that takes longer has failed; shorter than the time between two. */
const SCRAPE_TIMEOUT_MS = 900;
/** An instance that answered a scrape so recently is alive, though Redis has no heartbeat of it. */
const ANSWERED_MS = 1500;
/** A dead instance is shown for this time. */
const DEAD_MS = 30_000;

/** A {@link HeartbeatRecord} as read: any client of Redis may have written it. */
const heartbeatRecord = z.object({
  name: z.string().regex(/^[\w.-]{1,64}$/),
  owner: z.string(),
  address: z.string().regex(/^[\w.:[\]-]+:\d{1,5}$/),
  state: z.enum(['joining', 'ready', 'draining']),
});

interface Instance {
  record: HeartbeatRecord;
  diedAt: number | undefined;
  /** The owner whose process has ended, although Redis may still have its heartbeat. */
  endedOwner: string | undefined;
  /** Whether it accepted a connection and did not answer. */
  isSilent: boolean;
  scraping: Promise<void> | undefined;
  /** Those of the last {@link WINDOW_MS}, oldest first, all of one process. */
  samples: Sample[];
}

/** The instances that were seen alive, with the results of scraping them. */
export class Instances {
  #byName = new Map<string, Instance>();
  /** Cache totals of processes that have ended. */
  #ended = mapTotals(() => 0);
  #onClose: (check: () => Promise<void>) => void;

  /**
   * @param onClose is called when an instance has closed a connection; `check` finds out whether its
   * process has ended, and belongs after a new update: the instance may have announced its end
   */
  constructor(onClose: (check: () => Promise<void>) => void) {
    this.#onClose = onClose;
  }

  /**
   * Takes over the heartbeats found in Redis.
   *
   * @param isSettled whether an instance without a heartbeat is gone
   */
  update(records: string[], isSettled: boolean): void {
    const now = performance.now();
    const alive = new Map(records.flatMap(parseRecord).map((record) => [record.name, record]));
    for (const [name, record] of alive) {
      const known = this.#byName.get(name);
      const hasEnded = known?.endedOwner === record.owner;
      const diedAt = hasEnded ? known?.diedAt : undefined;
      this.#byName.set(name, Object.assign(known ?? newInstance(record), { record, diedAt }));
    }
    for (const [name, known] of this.#byName) {
      if (!isSettled || alive.has(name)) continue;
      const isDraining = known.record.state === 'draining';
      const hasAnswered = now - (known.samples.at(-1)?.at ?? -Infinity) < ANSWERED_MS;
      if (!isDraining && !hasAnswered) known.diedAt ??= now;
      if (!isDraining && now - (known.diedAt ?? now) <= DEAD_MS) continue;
      this.#byName.delete(name);
      this.#keepTotals(known);
    }
  }

  /** Scrapes every instance that is not dead. Resolves when each has answered or failed. */
  async scrape(): Promise<void> {
    const there = this.#sorted().filter(({ diedAt, isSilent }) => !diedAt || isSilent);
    await Promise.all(there.map((known) => this.#scrape(known)));
  }

  views(): InstanceView[] {
    return this.#sorted().map((known) => {
      const { record, diedAt, isSilent, samples } = known;
      const missing = isSilent ? 'hung' : 'dead';
      const [first, last] = [samples[0], samples.at(-1)];
      const recent = recentOf([known], 'all');
      const windowMs = (last?.at ?? 0) - (first?.at ?? 0);
      return {
        name: record.name,
        address: record.address,
        state: diedAt === undefined ? record.state : missing,
        uptimeSeconds: last ? Math.max(0, Math.floor(Date.now() / 1000 - last.startedAt)) : 0,
        memoryBytes: last?.memoryBytes ?? 0,
        requestsPerSecond: windowMs === 0 ? 0 : (countOf(recent) * 1000) / windowMs,
        p99Ms: p99Of(recent),
      };
    });
  }

  latency(): Overview['latency'] {
    const p99 = (kind: RequestKind) => p99Of(recentOf(this.#sorted(), kind));
    return { views: p99('views'), hits: p99('hits'), misses: p99('misses') };
  }

  cache(): Overview['cache'] {
    const last = this.#sorted().flatMap(({ samples }) => samples.at(-1)?.cache ?? []);
    const totals = mapTotals((name) =>
      last.reduce((sum, one) => sum + one[name], this.#ended[name]),
    );
    const { localHits, redisHits, sharedLoads, stale, misses, bypasses } = totals;
    const hits = localHits + redisHits + sharedLoads + stale;
    const lookups = hits + misses + bypasses;
    return { ...totals, hitRatio: lookups === 0 ? null : hits / lookups };
  }

  /** The settings and the origin of the first instance; all are the same except in a deployment. */
  settings(): { switches: Switches; origin: OriginBehavior | null } {
    const alive = this.#sorted().filter(({ diedAt }) => diedAt === undefined);
    const [first] = alive.flatMap(({ samples }) => samples.at(-1) ?? []);
    return { switches: first?.switches ?? {}, origin: first?.origin ?? null };
  }

  #sorted(): Instance[] {
    return [...this.#byName.values()].sort((a, b) =>
      a.record.name.localeCompare(b.record.name, 'en', { numeric: true }),
    );
  }

  #scrape(known: Instance): Promise<void> {
    known.scraping ??= this.#read(known).finally(() => {
      known.scraping = undefined;
    });
    return known.scraping;
  }

  async #read(known: Instance): Promise<void> {
    const { address, owner, state } = known.record;
    const onClose = () => this.#onClose(() => this.#scrape(known));
    const reply = await scrape(address, SCRAPE_TIMEOUT_MS, onClose);
    if ('text' in reply) {
      known.isSilent = false;
      this.#add(known, sampleOf(reply.text));
      return;
    }
    known.isSilent = reply.failure === 'silent';
    // An address that never answered may be out of reach for this dashboard alone.
    if (reply.failure !== 'closed' || state === 'draining' || known.samples.length === 0) return;
    known.endedOwner = owner;
    known.diedAt ??= performance.now();
  }

  #add(known: Instance, sample: Sample): void {
    const hasRestarted = known.samples.at(-1)?.startedAt !== sample.startedAt;
    if (hasRestarted) this.#keepTotals(known);
    const before = hasRestarted ? [] : known.samples;
    known.samples = [...before, sample].filter(({ at }) => sample.at - at <= WINDOW_MS);
  }

  #keepTotals({ samples }: Instance): void {
    const last = samples.at(-1)?.cache;
    if (last) this.#ended = mapTotals((name) => this.#ended[name] + last[name]);
  }
}

function newInstance(record: HeartbeatRecord): Instance {
  const unknown = { diedAt: undefined, endedOwner: undefined, scraping: undefined };
  return { record, ...unknown, isSilent: false, samples: [] };
}

function parseRecord(json: string): HeartbeatRecord[] {
  try {
    return [heartbeatRecord.parse(JSON.parse(json))];
  } catch {
    return [];
  }
}

/** The requests between the first and the last sample of each instance, if they are recent. */
function recentOf(instances: Instance[], kind: RequestKind): Buckets {
  const sum: Buckets = new Map();
  for (const { diedAt, samples } of instances) {
    const [first, last] = [samples[0], samples.at(-1)];
    if (!first || !last || diedAt || performance.now() - last.at > WINDOW_MS) continue;
    addBuckets(sum, last.latency[kind]);
    addBuckets(sum, first.latency[kind], -1);
  }
  return sum;
}

function p99Of(latency: Buckets): number | null {
  const seconds = quantile(0.99, latency);
  return seconds === null ? null : seconds * 1000;
}
