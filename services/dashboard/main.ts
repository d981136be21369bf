// A second, different application that shares the sessions of the first.
import type { RequestHandler } from 'express';
import { z } from 'zod';
import { deadline } from '../shared/http/deadline.ts';
import { newExpress } from '../shared/http/express.ts';
import { live, ready } from '../shared/http/health.ts';
import { changeId } from '../shared/http/idempotency.ts';
import { jsonBody, trimmedText } from '../shared/http/json-body.ts';
import { notFound, problems } from '../shared/http/problem.ts';
import { replyHeaders } from '../shared/http/reply-headers.ts';
import { sameOrigin } from '../shared/http/same-origin.ts';
import { commonVariables, readVariables } from '../shared/process/config.ts';
import { runService } from '../shared/process/service.ts';
import { secretsOf } from '../shared/session/secret.ts';
import { sessions } from '../shared/session/session.ts';
import { redisState } from '../shared/session/state.ts';
import { GuardedRedisStore } from '../shared/session/store.ts';

const readConfig = (env: NodeJS.ProcessEnv) => readVariables(commonVariables, env);

await runService(readConfig, ({ config, identity, redis, log, draining }) => {
  const store = new GuardedRedisStore(redis, config.SESSION_TTL_SECONDS, log);
  const state = redisState(redis, config.SESSION_TTL_SECONDS, log);
  const session = sessions({
    name: config.SESSION_COOKIE_NAME,
    store,
    secrets: secretsOf(config, redis),
  });

  const app = newExpress();
  app.use(replyHeaders(identity), deadline(config.REQUEST_TIMEOUT_MS));
  app.get('/livez', live);
  app.get('/readyz', ready(redis, draining));

  app.get('/dashboard/session', session, async (req, res) => {
    const { views, cart } = await state.read(req);
    const things = Object.values(cart).reduce((sum, quantity) => sum + quantity, 0);
    const { name } = req.session;
    const greeting = name
      ? `Hello ${name}, ${views} views, ${things} things in your cart`
      : 'Hello stranger';
    res.set('Cache-Control', 'no-store').type('text').send(greeting);
  });

  const nickname = jsonBody(z.object({ nickname: trimmedText(40) }));
  const setNickname: RequestHandler = async (req, res) => {
    await state.setNickname(req, req.body.nickname);
    res.json({ nickname: req.body.nickname });
  };
  const change = [sameOrigin, changeId(config.IDEMPOTENCY === 'on')];
  app.post('/dashboard/nickname', change, nickname, session, setNickname);

  return app.use(notFound, problems(log));
});
