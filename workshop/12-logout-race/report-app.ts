// The application of this lesson: a login, a logout and a slow report.
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { createExpress } from '../../services/shared/http/express.ts';
import { ready } from '../../services/shared/http/health.ts';
import { notFound, problemHandler, sendProblem } from '../../services/shared/http/problem.ts';
import { replyHeaders } from '../../services/shared/http/reply-headers.ts';
import { commonVariables, oneOf, readVariables } from '../../services/shared/process/config.ts';
import { runService } from '../../services/shared/process/service.ts';
import { sessionScripts } from '../../services/shared/session/scripts.ts';
import { sessionSecrets } from '../../services/shared/session/secret.ts';
import { endSession, sessions, startSession } from '../../services/shared/session/session.ts';
import { RedisSessionStore } from '../../services/shared/session/store.ts';
import { plainSetStore } from './wrong-plain-set-store.ts';

declare module 'express-session' {
  interface SessionData {
    lastReport?: string;
  }
}

/** The state of the report: `begun`, then `data` when it can finish. */
const REPORT = 'lesson:report';
const POLL_MS = 20;

const variables = commonVariables.extend({ STORE: oneOf('guarded', 'plain') });

await runService(
  (env) => readVariables(variables, env),
  ({ config, instance, connect, log, draining }) => {
    const { STORE, SESSION_TTL_SECONDS: ttl, SESSION_COOKIE_NAME: cookieName } = config;
    const redis = connect({ name: 'Redis', scripts: sessionScripts });
    const store =
      STORE === 'plain' ? plainSetStore(redis, ttl) : new RedisSessionStore(redis, ttl, log);
    const secrets = sessionSecrets(config.SESSION_SECRET, redis, log);
    const session = sessions({ cookieName, store, secrets });

    const app = createExpress();
    app.use(replyHeaders(instance));
    app.get('/readyz', ready({ check: () => Promise.all([redis.ping(), secrets()]), draining }));

    app.post('/login', session, async (req, res) => {
      await startSession(req, { name: 'Ada', since: new Date().toISOString() });
      res.status(204).end();
    });
    app.post('/logout', session, async (req, res) => {
      await endSession(req);
      res.clearCookie(cookieName, { secure: req.secure }).status(204).end();
    });
    app.get('/me', session, (req, res) => {
      if (req.session.name === undefined) return sendProblem(res, 401, 'Not logged in.');
      res.json({ name: req.session.name });
    });

    // The request has read the session and holds it during the report.
    app.get('/report', session, async (req, res) => {
      await redis.set(REPORT, 'begun');
      while ((await redis.get(REPORT)) !== 'data') await delay(POLL_MS);
      req.session.lastReport = new Date().toISOString();
      await promisify(req.session.save).call(req.session);
      res.json({ report: 'all is well' });
    });
    // The lesson reads the state and decides when the report continues, so it needs no luck.
    app.get('/report/state', async (_req, res) => {
      res.type('text').send((await redis.get(REPORT)) ?? 'none');
    });
    app.post('/report/data', async (_req, res) => {
      await redis.set(REPORT, 'data');
      res.status(204).end();
    });

    return app.use(notFound, problemHandler(log));
  },
);
