import { createHash, timingSafeEqual } from 'node:crypto';
import type { RequestHandler } from 'express';
import { z } from 'zod';
import * as record from '../../app/heartbeat/record.ts';
import { sendProblem } from '../../shared/http/problem.ts';
import type { DashboardRedis } from '../scripts.ts';

// A fault is stored in Redis. The instances find it there with their next heartbeat.

export const instanceBody = z.object({ instance: z.string().min(1).max(64).optional() });
export const originBody = z.object({
  delayMs: z.int().min(0).max(8000),
  failurePercent: z.int().min(0).max(100),
});
export const pauseBody = z.object({ seconds: z.int().min(1).max(30) });

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
export function command(redis: DashboardRedis, fault: record.FaultCommand): RequestHandler {
  return async (req, res) => {
    const { instance } = req.body as z.output<typeof instanceBody>;
    for (const found of instance ? [instance] : await redis.sMembers(record.INSTANCES_KEY)) {
      if ((await redis.exists(record.heartbeatKey(found))) === 0) continue;
      await redis.set(record.faultKey(found), fault, { PX: record.FAULT_TTL_MS });
      res.status(202).json({ instance: found });
      return;
    }
    sendProblem(res, 404, `There is no instance ${instance ?? ''} now.`);
  };
}

/** `PUT /dashboard/faults/origin`: sets how the origin of all instances behaves. */
export function setOrigin(redis: DashboardRedis): RequestHandler {
  return async (req, res) => {
    const EX = record.ORIGIN_FAULT_TTL_SECONDS;
    await redis.set(record.ORIGIN_FAULT_KEY, JSON.stringify(req.body), { EX });
    res.status(202).json(req.body);
  };
}

/** `DELETE /dashboard/faults/origin`: returns it to its configured behavior. */
export function resetOrigin(redis: DashboardRedis): RequestHandler {
  return async (_req, res) => {
    await redis.del(record.ORIGIN_FAULT_KEY);
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
