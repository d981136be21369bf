import { createHash, timingSafeEqual } from 'node:crypto';
import type { RequestHandler } from 'express';
import { z } from 'zod';
import type { BoardRedis } from '../../dashboard/board-scripts.ts';
import { sendProblem } from '../../shared/http/problem.ts';
import type { Identity } from '../../shared/process/service.ts';
import type { Command } from '../fault-injection/fault-injection.ts';

// What is to be broken is noted in Redis, where the instance that it is meant for finds it with its
// next beat. So any instance can be asked, and all of them have the same origin.

function wholeNumber(min: number, max: number) {
  const message = `must be a whole number from ${min} to ${max}`;
  return z.int(message).min(min, message).max(max, message);
}

const name = z.string('must be the name of an instance').min(1).max(64);

/** The bodies of the routes. */
export const instanceBody = z.object({ instance: name.optional() });
export const originBody = z.object({
  delayMs: wholeNumber(0, 8000),
  failurePercent: wholeNumber(0, 100),
});
export const pauseBody = z.object({ seconds: wholeNumber(1, 30) });

/**
 * Lets only the presenter through: with the key where there is one, else only by a name of this
 * machine itself, for a site may have a name of its own lead here.
 * @see https://en.wikipedia.org/wiki/DNS_rebinding
 */
export function presenterOnly(key: string | undefined): RequestHandler {
  return (req, res, next) => {
    if (key === undefined) {
      if (/^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(req.hostname)) next();
      else sendProblem(res, 403, 'Chaos is for this machine alone: ask localhost.');
      return;
    }
    const [, given = ''] = /^Bearer (.+)$/.exec(req.get('Authorization') ?? '') ?? [];
    if (timingSafeEqual(digest(given), digest(key))) return next();
    res.set('WWW-Authenticate', 'Bearer');
    sendProblem(res, 401, "Chaos takes the presenter's key, which was printed at the start.");
  };
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/** `POST /chaos/kill` and `POST /chaos/hang`: an instance, or else the one that answers, soon does so. */
export function tellInstance(
  redis: BoardRedis,
  identity: Identity,
  command: Command,
): RequestHandler {
  return async (req, res) => {
    const { instance = identity.name } = req.body as z.output<typeof instanceBody>;
    const isThere = await redis.command(instance, command);
    if (isThere) res.status(202).json({ instance });
    else sendProblem(res, 404, `There is no instance ${instance} now.`);
  };
}

/** `PUT /chaos/origin`: the origin of all instances is soon as slow and as bad as the body says. */
export function setOrigin(redis: BoardRedis): RequestHandler {
  return async (req, res) => {
    await redis.setOrigin(JSON.stringify(req.body));
    res.status(202).json(req.body);
  };
}

/** `DELETE /chaos/origin`: it is soon as it was configured. */
export function resetOrigin(redis: BoardRedis): RequestHandler {
  return async (_req, res) => {
    await redis.setOrigin(null);
    res.status(202).end();
  };
}

/** `POST /chaos/redis`: Redis answers nobody for some seconds, as if it hung. */
export function pauseRedis(redis: BoardRedis): RequestHandler {
  return async (req, res) => {
    const { seconds } = req.body as z.output<typeof pauseBody>;
    await redis.sendCommand(['CLIENT', 'PAUSE', String(seconds * 1000), 'ALL']);
    res.status(202).json({ seconds });
  };
}
