import type { RedisView } from './protocol.ts';
import { type DashboardRedis, FIRST_FIGURES } from './scripts.ts';

type Figures = Pick<RedisView, 'operationsPerSecond' | 'memoryBytes' | 'sessions'>;

/** The figures of Redis. Those of a Cluster are the sums over its shards. */
export class RedisFigures {
  #shards = new WeakMap<object, { state: string[]; sessions: number }>();

  /** Leaves out shards that do not answer. */
  async read(redis: DashboardRedis): Promise<Figures> {
    const nodes = redis.nodes?.() ?? [redis];
    const results = await Promise.allSettled(nodes.map((node) => this.#readShard(node)));
    const found = results.flatMap((one) => (one.status === 'fulfilled' ? one.value : []));
    return {
      operationsPerSecond: sumOf(found.map((one) => one.operationsPerSecond)),
      memoryBytes: sumOf(found.map((one) => one.memoryBytes)),
      sessions: sumOf(found.map((one) => one.sessions)) ?? 0,
    };
  }

  async #readShard(node: Pick<DashboardRedis, 'figures'>) {
    const before = this.#shards.get(node) ?? { state: FIRST_FIGURES, sessions: 0 };
    const { state, ...found } = await node.figures(before.state);
    const sessions = found.sessions ?? before.sessions;
    this.#shards.set(node, { state, sessions });
    return { ...found, sessions };
  }
}

/** `null` if one is not known. */
function sumOf(numbers: (number | null)[]): number | null {
  return numbers.reduce((sum, one) => (sum === null || one === null ? null : sum + one), 0);
}
