/** With REDIS_TOPOLOGY, the tests run on several Redis: tests that break the only one are skipped. */
export const isSpread = Boolean(process.env.REDIS_TOPOLOGY);
export const hasShards = process.env.REDIS_TOPOLOGY === 'cluster';
