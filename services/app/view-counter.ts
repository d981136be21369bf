import type { Request } from 'express';
import { defineScript } from 'redis';
import type { Redis } from './redis.ts';
import { endSession, isStored, startSession } from './session.ts';

/** Counts one view of the session of `req` and resolves to the number of views so far. */
export type ViewCounter = (req: Request) => Promise<number>;

/**
 * `countView(sessionId, ttlSeconds)`: the number of views, or -1 where there is no such session.
 * One atomic step, so that no view is lost or counted twice however many instances count at once;
 * it also puts off the end of the session and of its counter. The braces in the name of the counter
 * keep it in the slot of its session.
 * @see https://redis.io/docs/latest/develop/programmability/eval-intro/
 * @see https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#hash-tags
 */
export const countView = defineScript({
  NUMBER_OF_KEYS: 2,
  SCRIPT: `
    if redis.call('EXPIRE', KEYS[1], ARGV[1]) == 0 then return -1 end
    local views = redis.call('INCR', KEYS[2])
    redis.call('EXPIRE', KEYS[2], ARGV[1])
    return views`,
  parseCommand(parser, sessionId: string, ttlSeconds: number) {
    parser.pushKey(`sess:${sessionId}`);
    parser.pushKey(`views:{sess:${sessionId}}`);
    parser.push(String(ttlSeconds));
  },
  transformReply: (reply: unknown) => reply as number,
});

/** The counter to copy: it counts in Redis, where all instances see the same number. */
export function atomicCounter(redis: Redis, ttlSeconds: number): ViewCounter {
  return async (req) => {
    if (isStored(req)) {
      const views = await redis.countView(req.sessionID, ttlSeconds);
      if (views > 0) return views;
      await endSession(req); // it ended elsewhere since it was read
    }
    await startSession(req);
    return redis.countView(req.sessionID, ttlSeconds);
  };
}
