import { byId, onClick, setText } from './elements.js';
import { inMegabytes } from './instances-panel.js';
import { reasonOf, request } from './request.js';

/** @import { Overview } from '../protocol.ts' */

const BURST = 100;

/** Redis and the cache: figures, and the buttons that request `/data`. */
export class StorePanel {
  constructor() {
    onClick('fetch', () => this.fetch(1));
    onClick('fetch-many', () => this.fetch(BURST));
    onClick('invalidate', () => this.invalidate());
    onClick('fetch-expired', () => this.fetchExpired());
  }

  /** @param {Overview} overview */
  show({ redis, cache }) {
    const state = byId('redis-state');
    state.dataset.reachable = String(redis.reachable);
    setText(state, redis.reachable ? 'reachable' : 'away');
    byId('outage').hidden = redis.reachable;
    document.body.dataset.redis = redis.reachable ? 'reachable' : 'away';
    const ratio = cache.hitRatio === null ? '–' : `${Math.floor(cache.hitRatio * 1000) / 10} %`;
    const age = redis.dataAgeSeconds === null ? 'not cached' : `${redis.dataAgeSeconds} s`;
    const texts = {
      'redis-sessions': String(redis.sessions),
      'redis-operations': String(redis.operationsPerSecond ?? '–'),
      'redis-memory': redis.memoryBytes === null ? '–' : inMegabytes(redis.memoryBytes),
      'cache-hit-ratio': ratio,
      'cache-local-hits': String(cache.localHits),
      'cache-redis-hits': String(cache.redisHits),
      'cache-origin-calls': String(cache.originCalls),
      'data-age': age,
      'origin-seen': String(cache.originCalls),
    };
    for (const [id, text] of Object.entries(texts)) setText(byId(id), text);
  }

  /** @param {number} times at once */
  async fetch(times) {
    const from = performance.now();
    const outcomes = await Promise.all(Array.from({ length: times }, fetchOnce));
    const ms = Math.round(performance.now() - from);
    const count = (/** @type {string} */ outcome) => outcomes.filter((o) => o === outcome).length;
    const failed = times - count('New') - count('Cached');
    const words = [`${count('New')} new`, `${count('Cached')} cached`];
    if (failed > 0) words.push(`${failed} failed`);
    setText(byId('fetch-summary'), `${words.join(', ')}, ${ms} ms`);
  }

  /** Fetches often and at once what is not cached. */
  async fetchExpired() {
    await this.invalidate();
    await this.fetch(BURST);
  }

  async invalidate() {
    const failure = await request('DELETE', '/data').then(() => '', reasonOf);
    setText(byId('fetch-summary'), failure || 'invalidated on all instances');
  }
}

/** Resolves to the first word of the reply, New or Cached, or to the reason of a failure. */
async function fetchOnce() {
  try {
    return (await request('GET', '/data', { accept: 'text/plain' })).text.split(' ')[0];
  } catch (err) {
    return reasonOf(err);
  }
}
