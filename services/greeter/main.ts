// A second, different application that shares the sessions of the first.
import type { RequestHandler } from 'express';
import { z } from 'zod';
import { changeId } from '../shared/change-id.ts';
import { commonVariables, readVariables } from '../shared/config.ts';
import { deadline } from '../shared/deadline.ts';
import { newExpress } from '../shared/express.ts';
import { live, ready } from '../shared/health.ts';
import { jsonBody, trimmedText } from '../shared/json-body.ts';
import { notFound, problems } from '../shared/problem.ts';
import { replyHeaders } from '../shared/reply-headers.ts';
import { sameOrigin } from '../shared/same-origin.ts';
import { runService } from '../shared/service.ts';
import { sessions } from '../shared/session.ts';
import { secretsOf } from '../shared/session-secret.ts';
import { redisState } from '../shared/session-state.ts';
import { GuardedRedisStore } from '../shared/session-store.ts';

const readConfig = (env: NodeJS.ProcessEnv) => readVariables(commonVariables, env);

await runService(readConfig, ({ config, identity, redis, log, draining }) => {
  const store = new GuardedRedisStore(redis, config.SESSION_TTL_SECONDS, log);
  const state = redisState(redis, config.SESSION_TTL_SECONDS, log);
  const session = sessions({ name: config.SESSION_NAME, store, secrets: secretsOf(config, redis) });

  const app = newExpress();
  app.use(replyHeaders(identity), deadline(config.REQUEST_TIMEOUT_MS));
  app.get('/livez', live);
  app.get('/readyz', ready(redis, draining));

  app.get('/greeter', session, async (req, res) => {
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
  const change = [sameOrigin, changeId(config.DEDUPE === 'on')];
  app.post('/greeter/nickname', change, nickname, session, setNickname);

  return app.use(notFound, problems(log));
});
