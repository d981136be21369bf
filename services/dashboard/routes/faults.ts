import { createHash, timingSafeEqual } from 'node:crypto';
import type { RequestHandler } from 'express';
import { z } from 'zod';
import {
  type FaultCommand,
  ORIGIN_FAULT_KEY,
  ORIGIN_FAULT_TTL_SECONDS,
} from '../../app/heartbeat/record.ts';
import { sendProblem } from '../../shared/http/problem.ts';
import type { DashboardRedis } from '../scripts.ts';

// A fault is stored in Redis. The instances find it there with their next heartbeat.

function wholeNumber(min: number, max: number) {
  const message = `must be a whole number from ${min} to ${max}`;
  return z.int(message).min(min, message).max(max, message);
}

const name = z.string('must be the name of an instance').min(1).max(64);

export const instanceBody = z.object({ instance: name.optional() });
export const originBody = z.object({
  delayMs: wholeNumber(0, 8000),
  failurePercent: wholeNumber(0, 100),
});
export const pauseBody = z.object({ seconds: wholeNumber(1, 30) });

/**
 * Admits only the presenter: by the key, if one is configured, otherwise only under a name of this
 * machine, since the DNS name of another site may resolve to it.
 * @see https://en.wikipedia.org/wiki/DNS_rebinding
 */
export function presenterOnly(key: string | undefined): RequestHandler {
  return (req, res, next) => {
    if (key === undefined) {
      if (/^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(req.hostname)) return next();
      return sendProblem(res, 403, 'Fault injection works on this machine only: use localhost.');
    }
    const [, given = ''] = /^Bearer (.+)$/.exec(req.get('Authorization') ?? '') ?? [];
    if (timingSafeEqual(digest(given), digest(key))) return next();
    res.set('WWW-Authenticate', 'Bearer');
    sendProblem(res, 401, "Fault injection requires the presenter's key, printed at the start.");
  };
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/** `POST /dashboard/faults/kill` and `…/hang`: makes one instance do so, any if none is named. */
export function commandInstance(redis: DashboardRedis, command: FaultCommand): RequestHandler {
  return async (req, res) => {
    const { instance } = req.body as z.output<typeof instanceBody>;
    const found = await redis.commandInstance(instance, command);
    if (found !== null) res.status(202).json({ instance: found });
    else sendProblem(res, 404, `There is no instance ${instance ?? ''} now.`);
  };
}

/** `PUT /dashboard/faults/origin`: sets how the origin of all instances behaves. */
export function setOrigin(redis: DashboardRedis): RequestHandler {
  return async (req, res) => {
    const expiration = { type: 'EX', value: ORIGIN_FAULT_TTL_SECONDS } as const;
    await redis.set(ORIGIN_FAULT_KEY, JSON.stringify(req.body), { expiration });
    res.status(202).json(req.body);
  };
}

/** `DELETE /dashboard/faults/origin`: returns it to its configured behavior. */
export function resetOrigin(redis: DashboardRedis): RequestHandler {
  return async (_req, res) => {
    await redis.del(ORIGIN_FAULT_KEY);
    res.status(202).end();
  };
}

/** `POST /dashboard/faults/redis`: makes Redis answer nothing for some seconds. */
export function pauseRedis(redis: DashboardRedis): RequestHandler {
  return async (req, res) => {
    const { seconds } = req.body as z.output<typeof pauseBody>;
    await redis.sendCommand(['CLIENT', 'PAUSE', String(seconds * 1000), 'ALL']);
    res.status(202).json({ seconds });
  };
}
