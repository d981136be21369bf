// Another application that shares the sessions of services/app.
import { z } from 'zod';
import { deadline } from '../shared/http/deadline.ts';
import { createExpress } from '../shared/http/express.ts';
import { live, ready } from '../shared/http/health.ts';
import { idempotency } from '../shared/http/idempotency.ts';
import { jsonBody, trimmedText } from '../shared/http/json-body.ts';
import { notFound, problemHandler } from '../shared/http/problem.ts';
import { replyHeaders } from '../shared/http/reply-headers.ts';
import { sameOrigin } from '../shared/http/same-origin.ts';
import { commonVariables, readVariables } from '../shared/process/config.ts';
import { redisErrors } from '../shared/process/redis-errors.ts';
import { runService } from '../shared/process/service.ts';
import { sessionScripts } from '../shared/session/scripts.ts';
import { sessionSecrets } from '../shared/session/secret.ts';
import { sessions } from '../shared/session/session.ts';
import { redisSessionState } from '../shared/session/state.ts';
import { RedisSessionStore } from '../shared/session/store.ts';

await runService(
  (env) => readVariables(commonVariables, env),
  ({ config, instance, connect, log, draining }) => {
    const redis = connect({ name: 'Redis', scripts: sessionScripts });
    const store = new RedisSessionStore(redis, config.SESSION_TTL_SECONDS, log);
    const state = redisSessionState(redis, config.SESSION_TTL_SECONDS, log);
    const secrets = sessionSecrets(config.SESSION_SECRET, redis);
    const session = sessions({ cookieName: config.SESSION_COOKIE_NAME, store, secrets });
    const app = createExpress();
    app.use(replyHeaders(instance), deadline(config.REQUEST_TIMEOUT_MS));
    app.get('/livez', live);
    app.get('/readyz', ready({ ping: () => redis.ping(), draining }));
    app.get('/dashboard/session', session, async (req, res) => {
      const { name } = req.session;
      res.set('Cache-Control', 'no-store').json({ name, ...(await state.read(req)) });
    });
    const nickname = jsonBody(z.object({ nickname: trimmedText(40) }));
    const change = [sameOrigin, idempotency(config.IDEMPOTENCY === 'on')];
    app.post('/dashboard/nickname', change, nickname, session, async (req, res) => {
      await state.setNickname(req, req.body.nickname);
      res.json({ nickname: req.body.nickname });
    });
    return app.use(notFound, redisErrors(log), problemHandler(log));
  },
);
