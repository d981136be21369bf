import type { Express } from 'express';
import { deadline } from '../shared/http/deadline.ts';
import { createExpress } from '../shared/http/express.ts';
import { live, ready } from '../shared/http/health.ts';
import { idempotency } from '../shared/http/idempotency.ts';
import { jsonBody } from '../shared/http/json-body.ts';
import { noSpeculation } from '../shared/http/no-speculation.ts';
import { notFound, problemHandler } from '../shared/http/problem.ts';
import { replyHeaders } from '../shared/http/reply-headers.ts';
import { sameOrigin } from '../shared/http/same-origin.ts';
import { exposeMetrics, processMetrics } from '../shared/process/metrics.ts';
import { redisErrors } from '../shared/process/redis-errors.ts';
import type { ServiceContext } from '../shared/process/service.ts';
import { sessionChanges, sessionScripts } from '../shared/session/scripts.ts';
import { sessionSecrets } from '../shared/session/secret.ts';
import { sessions } from '../shared/session/session.ts';
import { redisSessionState } from '../shared/session/state.ts';
import { RedisSessionStore } from '../shared/session/store.ts';
import { UserSessions, userChanges, userScripts } from '../shared/user/user-sessions.ts';
import type { Config } from './config.ts';
import { EventStream } from './event-stream.ts';
import { Monitor } from './monitor.ts';
import { readAssets } from './routes/assets.ts';
import { events } from './routes/events.ts';
import * as faults from './routes/faults.ts';
import { instances } from './routes/instances.ts';
import { compare, page } from './routes/page.ts';
import { reportView, viewBody } from './routes/participants.ts';
import { qrCode } from './routes/qr-code.ts';
import { nicknameBody, setNickname, showSession } from './routes/session.ts';
import * as stack from './routes/stack.ts';
import { dashboardScripts } from './scripts.ts';
import { StackControl } from './stack-control.ts';

/** The dashboard: its middleware in order, and all of its routes. */
export function createApp(context: ServiceContext<Config>): Express {
  const { config, instance, connect, log, draining } = context;
  const { SESSION_COOKIE_NAME: cookieName, SESSION_TTL_SECONDS: ttlSeconds } = config;

  const scripts = { ...sessionScripts, ...userScripts, ...dashboardScripts };
  const changes = [...sessionChanges, ...userChanges];
  const redis = connect({ name: 'Redis', scripts, changes });
  const store = new RedisSessionStore(redis, ttlSeconds, log);
  const secrets = sessionSecrets(config.SESSION_SECRET, redis, log);
  const users = new UserSessions(redis, ttlSeconds);
  const renewal = { ttlSeconds, renew: (name: string, id: string) => users.add(name, id) };
  const session = sessions({ cookieName, store, secrets, renewal });
  const state = redisSessionState(redis, ttlSeconds, log);
  const stream = new EventStream(draining);
  const canInject = config.FAULT_INJECTION === 'on';
  const socket = canInject ? config.CONTROL_SOCKET : undefined;
  const control = socket === undefined ? undefined : new StackControl(socket);
  const monitor = new Monitor({ config, instance, redis, stream, control });
  const assets = readAssets();

  const app = createExpress();
  app.use(replyHeaders(instance));
  // Before the deadline: it stays open for as long as the page.
  app.get('/dashboard/events', noSpeculation, session, ...events(stream, monitor, state));
  app.use(deadline(config.REQUEST_TIMEOUT_MS));

  // A page that is prerendered would join the audience before the user sees it.
  const ports = config.COMPARE_PORTS;
  app.get(['/', '/dashboard'], noSpeculation, page(assets, config.FRAME_PORT ?? ports?.[0]));
  if (ports) app.get('/dashboard/compare', noSpeculation, compare(assets, ports));
  app.get('/dashboard/assets/:version/:file', assets.send);
  app.get('/dashboard/qr.svg', qrCode(config.PUBLIC_URL));
  app.get('/dashboard/instances', instances(monitor));

  const change = [sameOrigin, idempotency(config.IDEMPOTENCY === 'on', log)];
  app.get('/dashboard/session', session, showSession(state));
  app.post('/dashboard/nickname', change, jsonBody(nicknameBody), session, setNickname(state));
  app.post('/dashboard/participants', sameOrigin, jsonBody(viewBody), session, reportView(redis));

  if (canInject) {
    const presenter = [sameOrigin, faults.presenterOnly(config.PRESENTER_KEY)];
    const named = jsonBody(faults.instanceBody);
    app.post('/dashboard/faults/kill', presenter, named, faults.command(redis, 'kill'));
    app.post('/dashboard/faults/hang', presenter, named, faults.command(redis, 'hang'));
    const behavior = jsonBody(faults.originBody);
    app.put('/dashboard/faults/origin', presenter, behavior, faults.setOrigin(redis));
    app.delete('/dashboard/faults/origin', presenter, faults.resetOrigin(redis));
    const pause = jsonBody(faults.pauseBody);
    app.post('/dashboard/faults/redis', presenter, pause, faults.pauseRedis(redis));
    if (control) {
      const which = jsonBody(stack.instanceBody);
      app.post('/dashboard/stack/start', presenter, which, stack.command(control, 'start'));
      app.post('/dashboard/stack/replace', presenter, which, stack.command(control, 'restart'));
      const count = jsonBody(stack.scaleBody);
      app.post('/dashboard/stack/scale', presenter, count, stack.command(control, 'scale'));
      const switches = jsonBody(stack.switchesBody);
      app.put('/dashboard/stack/switches', presenter, switches, stack.setSwitches(control));
    }
  }

  const check = () => Promise.all([redis.ping(), secrets()]);
  app.get('/livez', live);
  app.get('/readyz', ready({ check, draining }));
  app.get('/metrics', exposeMetrics(processMetrics(instance))); // nginx does not pass it on

  app.use(notFound);
  app.use(redisErrors(log));
  app.use(problemHandler(log));
  return app;
}
