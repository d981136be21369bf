import { Histogram } from './histogram.ts';
import type { Beat, CacheTotals, InstanceState, InstanceView, Kind } from './messages.ts';
import { SILENT_MS } from './presence.ts';
import { Room } from './room.ts';

/** Milliseconds over which rates and percentiles are taken. */
const WINDOW_MS = 2000;
/** Milliseconds for which an instance that died is still shown. */
const DEAD_MS = 30_000;

interface Known {
  beat: Beat;
  heardAt: number;
  /** What it said within the last moments, with the time of each. */
  recent: { at: number; activity: NonNullable<Beat['activity']> }[];
}

/** What all instances have said of themselves, put together. */
export class InstancesOverview {
  readonly room = new Room();
  #instances = new Map<string, Known>();
  /** What the caches of those had done that are there no more. */
  #ended = noTotals();

  /** @param now in milliseconds by the clock of the listener, as everywhere here */
  hear(beat: Beat, now: number): void {
    const { name, activity } = beat;
    const before = this.#instances.get(name);
    const isAnother = before && beat.uptimeSeconds < before.beat.uptimeSeconds;
    if (isAnother) addTo(this.#ended, before.beat.cache);
    const recent = before?.recent ?? [];
    if (activity) recent.push({ at: now, activity });
    this.#instances.set(name, { beat, heardAt: now, recent });
    this.room.hear(beat);
  }

  /** Forgets those who ended in order, those who have been dead for a while, and what is long past. */
  tidy(now: number): void {
    for (const [name, known] of this.#instances) {
      known.recent = known.recent.filter(({ at }) => now - at <= WINDOW_MS);
      const silentMs = now - known.heardAt;
      const hasEnded = known.beat.state === 'draining' && silentMs > SILENT_MS;
      if (hasEnded || silentMs > DEAD_MS) {
        this.#instances.delete(name);
        addTo(this.#ended, known.beat.cache);
      }
      if (silentMs > SILENT_MS) this.room.feederGone(name);
    }
  }

  /** The instances in the order of their names. */
  instances(now: number): InstanceView[] {
    return [...this.#instances.values()]
      .map((known) => viewOf(known, now))
      .sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }));
  }

  /** The 99th percentiles over all instances, in milliseconds. */
  latency(): Record<Exclude<Kind, 'all'>, number | null> {
    const recent = [...this.#instances.values()].flatMap((known) => known.recent);
    const p99 = (kind: Kind) => percentile(recent, kind);
    return { views: p99('views'), hits: p99('hits'), misses: p99('misses') };
  }

  /** What the caches of all of them have done, together. */
  cache(): CacheTotals & { hitRatio: number | null } {
    const totals = { ...this.#ended };
    for (const { beat } of this.#instances.values()) addTo(totals, beat.cache);
    const { localHits, redisHits, sharedLoads, stale, misses, bypasses } = totals;
    const hits = localHits + redisHits + sharedLoads + stale;
    const lookups = hits + misses + bypasses;
    return { ...totals, hitRatio: lookups === 0 ? null : hits / lookups };
  }
}

function addTo(totals: CacheTotals, more: CacheTotals): void {
  for (const name of Object.keys(totals) as (keyof CacheTotals)[]) totals[name] += more[name];
}

function viewOf({ beat, heardAt, recent }: Known, now: number): InstanceView {
  const { name, uptimeSeconds, memoryBytes } = beat;
  const isSilent = now - heardAt > SILENT_MS;
  const state: InstanceState = isSilent ? 'dead' : beat.state;
  const ms = recent.reduce((sum, { activity }) => sum + activity.ms, 0);
  const requests = recent.reduce((sum, { activity }) => sum + activity.requests, 0);
  return {
    name,
    state,
    uptimeSeconds,
    memoryBytes,
    requestsPerSecond: isSilent || ms === 0 ? 0 : (requests * 1000) / ms,
    p99Ms: isSilent ? null : percentile(recent, 'all'),
  };
}

function percentile(recent: Known['recent'], kind: Kind): number | null {
  const histogram = new Histogram();
  for (const { activity } of recent) histogram.add(activity.latency[kind] ?? []);
  return histogram.quantile(0.99);
}

function noTotals(): CacheTotals {
  return {
    localHits: 0,
    redisHits: 0,
    sharedLoads: 0,
    stale: 0,
    misses: 0,
    bypasses: 0,
    originCalls: 0,
    originFailures: 0,
  };
}
