import type { Mutant } from './mutants.ts';

/** Mutants of one file that one test file notices. */
interface Group extends Pick<Mutant, 'file' | 'test'> {
  mutants: Omit<Mutant, 'file' | 'test'>[];
}

/** Some of these went unnoticed until a review tried them. */
const groups: Group[] = [
  {
    file: 'services/app/cache/scripts.ts',
    test: 'test/unit/cache.test.ts',
    mutants: [
      {
        name: 'lock-renewed-by-loser',
        find: "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('PEXPIRE'",
        replace: "if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('PEXPIRE'",
        only: 'a load',
      },
      {
        name: 'lock-released-by-loser',
        find: "if text(KEYS[2]) == ARGV[1] then redis.call('DEL', KEYS[2]) end",
        replace: "redis.call('DEL', KEYS[2])",
        only: 'a load',
      },
      {
        name: 'watermark-ignored',
        find: 'tokenAt(KEYS[3]) < token and tokenOf(KEYS[1]) < token',
        replace: 'tokenOf(KEYS[1]) < token',
        only: 'a load',
      },
      {
        name: 'outdated-load-awaited',
        find: 'local isCurrent = holder > watermark or awaited > 0 and holder >= awaited',
        replace: 'local isCurrent = true',
        only: 'a load',
      },
    ],
  },
  {
    file: 'services/app/cache/cache.ts',
    test: 'test/unit/cache.test.ts',
    mutants: [
      {
        name: 'failure-not-shared',
        find: 'const outcome = err instanceof OriginFailed ? encodeFailure(token) : undefined;',
        replace: 'const outcome = undefined;',
        only: 'an origin that fails',
      },
      {
        name: 'load-abandoned-by-others',
        find: 'if (signal.aborted && !isAwaited)',
        replace: 'if (signal.aborted)',
        only: 'a load',
      },
      {
        name: 'load-never-abandoned',
        find: "signal.addEventListener('abort', renew);",
        replace: '',
        only: 'a load',
      },
      {
        name: 'no-jitter',
        find: 'ttl * (1 - JITTER * Math.random())',
        replace: 'ttl',
        only: 'expiry',
      },
    ],
  },
  {
    file: 'services/app/cache/local-cache.ts',
    test: 'test/unit/cache.test.ts',
    mutants: [
      {
        name: 'local-entry-trusted-forever',
        find: 'if (now > trust.until || now > cached.staleUntil) return undefined;',
        replace: 'if (now > cached.staleUntil) return undefined;',
        only: 'the local cache',
      },
    ],
  },
  {
    file: 'loadtest/lib/site.ts',
    test: 'test/loadtest/scripts.test.ts',
    mutants: [
      {
        name: 'one-instance-is-enough',
        find: 'INSTANCES.length < instances',
        replace: 'false',
        only: 'should need two instances',
      },
    ],
  },
  {
    file: 'loadtest/lib/summary.ts',
    test: 'test/loadtest/summary.test.ts',
    mutants: [
      {
        name: 'interrupted-run-passes',
        find: 'seconds < 0.95 * planned',
        replace: 'false',
      },
    ],
  },
  {
    file: 'services/shared/session/scripts.ts',
    test: 'test/unit/session-store.test.ts',
    mutants: [
      {
        name: 'note-of-refused-change-kept',
        find: "if once then redis.call('HSET', latest, ARGV[2], '') end",
        replace: '',
        only: 'denies: view',
      },
      {
        name: 'no-ttl-after-login',
        find: "redis.call('RESTORE', KEYS[i + 4], ARGV[1] * 1000, value)",
        replace: "redis.call('RESTORE', KEYS[i + 4], 0, value)",
        only: 'move all its data',
      },
      {
        name: 'no-ttl-of-new-key',
        find: "if not before then redis.call('EXPIRE', KEYS[2], ARGV[1]) end",
        replace: '',
        only: 'denies: first view',
      },
      {
        name: 'note-after-change',
        find: "if once then redis.call('HSET', latest, ARGV[2], result) end\n      local reply = redis.pcall(${lua.change})",
        replace:
          "local reply = redis.pcall(${lua.change})\n      if once then redis.call('HSET', latest, ARGV[2], result) end",
        only: 'denies: view',
      },
      {
        name: 'applied-keys-without-limit',
        find: 'elseif count > ${MAX_APPLIED} then',
        replace: 'elseif false then',
        only: '56,000 changes',
      },
      {
        name: 'applied-keys-evicted-before-cache',
        find: 'export const APPLIED_TTL_SECONDS = 240;',
        replace: 'export const APPLIED_TTL_SECONDS = 70;',
        only: 'outlive all entries',
      },
      {
        name: 'change-without-room-for-its-key',
        find: 'if before then ${requireHeadroom(0.97, 1)} end',
        replace: '',
        only: 'needed for a change',
      },
      {
        name: 'earlier-keys-forgotten',
        find: "if count > 0 then redis.call('RENAME', latest, earlier) end",
        replace: "if count > 0 then redis.call('DEL', latest) end",
        only: 'known for a minute',
      },
      {
        name: 'corrupt-note-counts-as-applied',
        find: 'if isCount(applied) then return',
        replace: 'if applied then return',
        only: 'result under its key',
      },
      {
        name: 'ttl-extended-after-change-only',
        find: 'if maintain or not before then',
        replace: 'if maintain then',
        only: 'first view after a nickname',
      },
      {
        name: 'del-not-proved-before-login',
        find: 'drop(5, 8) -- nothing is there;',
        replace: '-- nothing is there;',
        only: 'denies: login',
      },
      {
        name: 'orphan-after-refused-login',
        find: '    drop(5, 8)\n    return redis.error_reply',
        replace: '    return redis.error_reply',
        only: 'denies: login',
      },
      {
        name: 'login-leaves-no-mark',
        find: "redis.call('SET', KEYS[11], '', 'EX', ${REPLACED_TTL_SECONDS})",
        replace: '',
        only: 'move all its data',
      },
      {
        name: 'ended-session-stored-again',
        find: "return redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[1], ARGV[3])",
        replace: "return redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[1])",
        only: 'should not store a session',
      },
    ],
  },
  {
    file: 'services/shared/session/cookies.ts',
    test: 'test/unit/verified-cookies.test.ts',
    mutants: [
      {
        name: 'first-secret-only',
        find: 'const ids = secrets.map((secret)',
        replace: 'const ids = secrets.slice(0, 1).map((secret)',
      },
    ],
  },
  {
    file: 'services/shared/session/verified-cookies.ts',
    test: 'test/unit/verified-cookies.test.ts',
    mutants: [
      { name: 'cookies-remembered-after-rotation', find: 'this.#byHeader.clear();', replace: '' },
      {
        name: 'cookie-memory-unbounded',
        find: 'if (this.#byHeader.size > MAX_VISITORS) this.#dropOldest();',
        replace: '',
      },
    ],
  },
  {
    file: 'services/shared/session/secret.ts',
    test: 'test/unit/session-secret.test.ts',
    mutants: [
      {
        name: 'new-instance-does-not-wait',
        find: 'await delay(PATIENCE_MS);',
        replace: '',
        only: 'emptied Redis',
      },
      {
        name: 'secret-offered-once',
        find: 'setInterval(offer, OFFER_MS).unref();',
        replace: '',
        only: 'too short',
      },
    ],
  },
  {
    file: 'services/shared/session/scripts.ts',
    test: 'test/unit/session-secret.test.ts',
    mutants: [
      {
        name: 'any-text-is-a-secret',
        find: "if stored and #stored == 43 and string.match(stored, '^[%w_-]+$') then",
        replace: 'if stored then',
        only: 'too short',
      },
    ],
  },
  {
    file: 'services/app/app.ts',
    test: 'test/unit/session-secret.test.ts',
    mutants: [
      {
        name: 'ready-without-secret',
        find: 'Promise.all([redis.ping(), secrets()])',
        replace: 'redis.ping()',
        only: 'agreed before',
      },
    ],
  },
  {
    file: 'services/shared/session/scripts.ts',
    test: 'test/native/store-failures.test.ts',
    mutants: [
      {
        name: 'headroom-counts-cache-only',
        find: 'if prefixes.cache + prefixes.replaced < ${evictable} then',
        replace: 'if prefixes.cache < 10 then',
        only: 'expire soon',
      },
    ],
  },
  {
    file: 'services/shared/session/state.ts',
    test: 'test/native/store-failures.test.ts',
    mutants: [
      {
        name: 'orphan-of-refused-first-change',
        find: 'await endSession(req).catch(() => {}); // its cookie will never be sent',
        replace: '',
        only: 'leave no session',
      },
    ],
  },
  {
    file: 'services/shared/session/scripts.ts',
    test: 'test/native/sessions-under-attack.test.ts',
    mutants: [
      {
        name: 'negative-number-is-a-count',
        find: "string.match(text, '^[1-9]%d*$')",
        replace: "string.match(text, '^%-?%d+$')",
        only: 'lose only',
      },
      {
        name: 'number-of-any-length-is-a-count',
        find: '#text <= 15',
        replace: '#text <= 150',
        only: 'lose only',
      },
    ],
  },
  {
    file: 'services/shared/session/session.ts',
    test: 'test/native/login.test.ts',
    mutants: [
      {
        name: 'logout-ignores-login',
        find: '  if (await storeOf(req).wasReplaced(req.sessionID)) throw new SessionEnded();\n',
        replace: '',
        only: 'should not report a logout',
      },
    ],
  },
  {
    file: 'services/shared/session/state.ts',
    test: 'test/native/login.test.ts',
    mutants: [
      {
        name: 'reads-ignore-replaced-cookie',
        find: '    await assertNotReplaced(req);\n    return undefined;',
        replace: '    return undefined;',
        only: 'answer 409',
      },
    ],
  },
  {
    file: 'services/shared/session/store.ts',
    test: 'test/native/returning-visitor.test.ts',
    mutants: [
      {
        name: 'state-outlives-session',
        find: 'if (!session) await this.#redis.deleteSession(id);',
        replace: '',
        only: 'if the session has ended',
      },
    ],
  },
  {
    file: 'services/shared/session/before-loading.ts',
    test: 'test/native/returning-visitor.test.ts',
    mutants: [
      {
        name: 'any-session-is-valid',
        find: 'if (!isValidSession(json)) return false;',
        replace: '',
        only: 'is junk',
      },
      {
        name: 'ttl-never-extended',
        find: 'now - visitor.maintainedAt > maintainMs;',
        replace: 'false;',
        only: 'in use',
      },
      {
        name: 'reads-put-off-maintenance',
        find: 'if (maintain && idempotencyKey !== undefined)',
        replace: 'if (maintain)',
        only: 'applied keys young',
      },
    ],
  },
  {
    file: 'services/shared/http/idempotency.ts',
    test: 'test/native/exactly-once.test.ts',
    mutants: [
      {
        name: 'clocks-not-logged',
        find: 'if (Math.abs(ageMs) > MAX_AGE_MS) warnOfClocks(ageMs);',
        replace: '',
        only: 'clocks differ',
      },
      {
        name: 'request-may-be-older',
        find: 'if (ageMs > MAX_AGE_MS) throw',
        replace: 'if (ageMs > 2 * MAX_AGE_MS) throw',
        only: 'ten seconds old',
      },
      {
        name: 'key-valid-for-any-body',
        find: 'JSON.stringify([method, path, clientKey, body])',
        replace: 'JSON.stringify([method, path, clientKey])',
        only: 'per session, route and body',
      },
    ],
  },
  {
    file: 'services/shared/session/scripts.ts',
    test: 'test/native/cart.test.ts',
    mutants: [
      {
        name: 'one-item-too-many',
        find: '>= ${MAX_ITEMS} then',
        replace: '> ${MAX_ITEMS} then',
        only: 'at most 50',
      },
    ],
  },
  {
    file: 'services/shared/http/deadline.ts',
    test: 'test/native/deadline.test.ts',
    mutants: [
      {
        name: 'deadline-through-next',
        find: "failRequest(req, res, 503, 'This took too long. Please try again.')",
        replace: "next(Object.assign(new Error('late'), { status: 503, expose: true }))",
        only: 'spare the next',
      },
      {
        name: 'deadline-without-answer',
        find: "if (!res.writableEnded) failRequest(req, res, 503, 'This took too long. Please try again.');",
        replace: '',
        only: 'spare the next',
      },
    ],
  },
  {
    file: 'services/shared/http/same-origin.ts',
    test: 'test/native/sessions-under-attack.test.ts',
    mutants: [
      {
        name: 'subdomain-is-same-origin',
        find: 'URL.parse(origin)?.origin',
        replace: "URL.parse(origin)?.host.split('.').at(-1)",
        only: 'another site',
      },
      {
        name: 'scheme-ignored',
        find: 'URL.parse(origin)?.origin',
        replace: 'URL.parse(origin)?.host',
        only: 'another site',
      },
      {
        name: 'default-port-differs',
        find: 'URL.parse(origin)?.origin',
        replace: 'origin',
        only: 'another site',
      },
      {
        name: 'same-site-passes',
        find: "site !== 'same-origin' &&",
        replace: "!site.startsWith('same-') &&",
        only: 'another site',
      },
      {
        name: 'origin-before-sec-fetch-site',
        find: 'if (site !== undefined) return',
        replace: 'if (site !== undefined && origin === undefined) return',
        only: 'another site',
      },
      {
        name: 'no-origin-is-same',
        find: 'one !== undefined && one === other',
        replace: 'one === other',
        only: 'another site',
      },
    ],
  },
  {
    file: 'nginx/nginx.conf',
    test: 'test/native/other-instance.test.ts',
    mutants: [
      {
        name: 'one-more-instance',
        find: ' http_503;',
        replace: ';',
        only: 'send it every request',
      },
    ],
  },
  {
    file: 'services/shared/process/redis-errors.ts',
    test: 'test/native/other-instance.test.ts',
    mutants: [
      {
        name: 'offline-for-all',
        find: 'return err instanceof ClientOfflineError || err instanceof ClientClosedError;',
        replace: 'return false;',
        only: 'send it every request',
      },
    ],
  },
  {
    file: 'nginx/nginx.conf',
    test: 'test/native/websocket.test.ts',
    mutants: [
      {
        name: 'websockets-counted',
        find: 'proxy_pass http://app-in-turn;',
        replace: 'proxy_pass http://$service;',
        only: 'in progress',
      },
    ],
  },
  {
    file: 'nginx/nginx.conf',
    test: 'test/native/nginx.test.ts',
    mutants: [
      {
        name: 'every-proxy-trusted',
        find: 'default 0;',
        replace: 'default 1;',
        only: 'overwrite|not believe',
      },
      {
        name: 'scheme-of-proxy-lost',
        find: '"1 https" https;',
        replace: '',
        only: ', believe',
      },
      {
        name: 'host-of-proxy-lost',
        find: 'X-Forwarded-Host $forwarded_host',
        replace: 'X-Forwarded-Host $http_host',
        only: ', believe',
      },
      {
        name: 'post-not-repeated',
        find: 'error timeout non_idempotent;',
        replace: 'error timeout;',
        only: 'repeat a POST',
      },
      {
        name: 'small-headers-in-nginx',
        find: 'large_client_header_buffers 4 32k',
        replace: 'large_client_header_buffers 2 7k',
        only: 'cookies pass',
      },
      {
        name: 'no-detail-in-nginx',
        find: '$status$problem_detail}',
        replace: '$status}',
        only: 'too large',
      },
    ],
  },
  {
    file: 'tools/stack/nginx.ts',
    test: 'test/native/faults.test.ts',
    mutants: [
      {
        name: 'requests-in-progress-not-counted',
        find: "'least_conn;', ",
        replace: '',
        only: ' hang: ',
      },
    ],
  },
  {
    file: 'services/shared/process/redis-cluster.ts',
    test: 'test/native/faults.test.ts',
    mutants: [
      {
        name: 'moved-slot-not-followed',
        find: "if (kind === 'MOVED') {",
        replace: 'if (false) {',
        only: 'slots-moved',
      },
      {
        name: 'oldest-configuration-wins',
        find: 'one.epoch - other.epoch',
        replace: 'other.epoch - one.epoch',
        only: 'shard-killed',
      },
    ],
  },
  {
    file: 'services/shared/process/redis-cluster.ts',
    test: 'test/native/cluster.test.ts',
    mutants: [
      {
        name: 'all-shards-needed',
        find: 'Promise.any(pings)',
        replace: 'Promise.all(pings).then(([one]) => one as string)',
        only: 'if a primary hangs',
      },
    ],
  },
  {
    file: 'services/shared/process/redis-sentinel.ts',
    test: 'test/native/redis-topologies.test.ts',
    mutants: [
      {
        name: 'unconfirmed-primary-read',
        find: 'performance.now() > confirmedUntil',
        replace: 'false',
        only: 'what must be current',
      },
    ],
  },
  {
    file: 'services/shared/process/redis-errors.ts',
    test: 'test/unit/replication.test.ts',
    mutants: [
      {
        name: 'interrupted-wait-is-a-bug',
        find: '|UNBLOCKED',
        replace: '',
        only: 'becomes a replica',
      },
    ],
  },
  {
    file: 'services/shared/process/server.ts',
    test: 'test/native/nginx.test.ts',
    mutants: [
      {
        name: 'small-headers-in-node',
        find: 'maxHeaderSize: MAX_HEADERS_KB * 1024,',
        replace: '',
        only: 'cookies pass',
      },
    ],
  },
  {
    file: 'services/shared/process/server.ts',
    test: 'test/native/process.test.ts',
    mutants: [
      {
        name: 'refusal-overtakes-reply',
        find: "if (last) last.once('close', () => sendRefusal(code, socket));\n    else ",
        replace: '',
        only: 'in turn',
      },
      {
        name: 'refusal-repeated',
        find: 'if (this.#refused.has(socket)) return;',
        replace: '',
        only: 'answer rubbish once',
      },
      {
        name: 'refusal-awaits-broken-request',
        find: '.findLast(({ req }) => req.complete)',
        replace: '.at(-1)',
        only: 'in turn',
      },
      {
        name: 'drain-cuts-pipelined-reply',
        find: 'if (res === all.at(-1)) res',
        replace: 'if (res) res',
        only: 'on a connection on SIGTERM',
      },
      {
        name: 'drain-awaits-idle-connection',
        find: 'if (this.#isDraining && replies.length === 0) socket.end();',
        replace: '',
        only: 'on a connection on SIGTERM',
      },
    ],
  },
  {
    file: 'services/app/routes/views.ts',
    test: 'test/native/probes.test.ts',
    mutants: [
      {
        name: 'head-counts',
        find: "const isHead = req.method === 'HEAD';",
        replace: 'const isHead = false;',
        only: 'count nothing',
      },
    ],
  },
  {
    file: 'services/app/app.ts',
    test: 'test/native/probes.test.ts',
    mutants: [
      {
        name: 'prefetch-counts',
        find: '[sameOrigin, noSpeculation, idempotency(',
        replace: '[sameOrigin, idempotency(',
        only: 'count nothing',
      },
    ],
  },
  {
    file: 'services/dashboard/app.ts',
    test: 'test/native/probes.test.ts',
    mutants: [
      {
        name: 'page-prerendered',
        find: "['/', '/dashboard'], noSpeculation, page",
        replace: "['/', '/dashboard'], page",
        only: 'prerendered',
      },
    ],
  },
  {
    file: 'services/dashboard/routes/events.ts',
    test: 'test/native/probes.test.ts',
    mutants: [
      {
        name: 'head-joins-audience',
        find: "if (req.method !== 'HEAD') await",
        replace: 'await',
        only: 'count nothing',
      },
    ],
  },
  {
    file: 'services/shared/http/problem.ts',
    test: 'test/native/probes.test.ts',
    mutants: [
      {
        name: 'wrong-method-not-found',
        find: 'methods.size === 0 || methods.has(req.method)',
        replace: 'true',
        only: 'methods of a path',
      },
      {
        name: 'head-not-allowed',
        find: "if (methods.has('GET')) methods.add('HEAD');",
        replace: '',
        only: 'methods of a path',
      },
      {
        name: 'missing-file-405',
        find: 'methods.size === 0 || methods.has(req.method)',
        replace: 'methods.size === 0',
        only: 'any other request',
      },
    ],
  },
  {
    file: 'services/app/routes/cart.ts',
    test: 'test/native/cart.test.ts',
    mutants: [
      {
        name: 'dots-in-item',
        find: '!DOT_SEGMENT.test(item)',
        replace: "item !== ''",
        only: 'give back|reject',
      },
    ],
  },
  {
    file: 'services/shared/http/json-body.ts',
    test: 'test/native/login.test.ts',
    mutants: [
      {
        name: 'hidden-characters',
        find: ' && !HIDDEN.test(value)',
        replace: '',
        only: 'what people see',
      },
      {
        name: 'invisible-name',
        find: 'VISIBLE.test(value) && ',
        replace: '',
        only: 'what people see',
      },
    ],
  },
  {
    file: 'services/shared/http/json-body.ts',
    test: 'test/native/nginx.test.ts',
    mutants: [
      {
        name: 'limit-not-named',
        find: "if (err.type !== 'entity.too.large') return next(err);",
        replace: 'return next(err);',
        only: 'too large',
      },
    ],
  },
  {
    file: 'services/dashboard/page/trail.js',
    test: 'test/unit/trail.test.ts',
    mutants: [
      { name: 'session-name-ignored', find: "this.bySession ? session : ''", replace: "''" },
      { name: 'every-session-continues', find: 'first > lastOf(before)', replace: 'first > 0' },
      {
        name: 'new-session-starts-at-old-number',
        find: '(before ? undefined : this.start) ?? first - 1',
        replace: 'this.start ?? first - 1',
      },
    ],
  },
  {
    file: 'services/shared/session/cookies.ts',
    test: 'test/native/sessions-under-attack.test.ts',
    mutants: [
      {
        name: 'foreign-cookie-wins',
        find: 'if (id !== undefined) verified',
        replace: 'if (id !== undefined && verified.size === 0) verified',
        only: 'second cookie',
      },
    ],
  },
  {
    file: 'services/shared/session/session.ts',
    test: 'test/native/sessions-under-attack.test.ts',
    mutants: [
      {
        name: 'ended-session-of-two-wins',
        find: 'if (await promisify(store.get).call(store, id)) return pair;',
        replace: 'return pair;',
        only: 'second cookie',
      },
      {
        name: 'first-cookie-taken',
        find: 'if (own !== undefined) req.headers.cookie',
        replace: "if (own === '') req.headers.cookie",
        only: 'second cookie',
      },
    ],
  },
  {
    file: 'tools/stack/stack.ts',
    test: 'test/native/stack.test.ts',
    mutants: [
      {
        name: 'one-cookie-for-all-stacks',
        find: "stack === DEFAULT_NAME ? 'connect.sid' : `connect.sid.${stack}`",
        replace: "stack && 'connect.sid'",
        only: 'share no cookie',
      },
    ],
  },
  {
    file: 'services/dashboard/page/session-panel.js',
    test: 'test/browser/dashboard.test.ts',
    mutants: [
      {
        name: 'burst-without-first-view',
        find: 'const failures = [await this.view(burst)];',
        replace: "const failures = [''];",
        only: 'ask once',
      },
      {
        name: 'new-session-not-said',
        find: "    setText(byId('trail-note'), NEW_SESSION);\n",
        replace: '',
        only: 'trail of its own',
      },
    ],
  },
  {
    file: 'services/dashboard/page/picture.js',
    test: 'test/browser/picture.test.ts',
    mutants: [
      {
        name: 'answering-instance-tried-in-addition',
        find: "    if (headers?.has('X-Instance')) tried.pop();\n",
        replace: '',
        only: 'turned round',
      },
      {
        name: 'views-of-others-not-drawn',
        find: "const there = ['nginx', element.id, ...beyond('/')];",
        replace: 'return;\n    const there = [element.id];',
        only: 'with a number',
      },
    ],
  },
  {
    file: 'services/dashboard/instances.ts',
    test: 'test/native/dashboard.test.ts',
    mutants: [
      {
        name: 'closed-connection-ignored',
        find: 'known.endedOwner = owner;\n    known.diedAt ??= performance.now();',
        replace: '',
        only: 'dead, joining, ready or gone',
      },
    ],
  },
  {
    file: 'services/dashboard/scripts.ts',
    test: 'test/native/dashboard.test.ts',
    mutants: [
      {
        name: 'number-not-kept',
        find: "redis.pcall('HSETNX', KEYS[4], id, count + 1)",
        replace: "redis.pcall('HSET', KEYS[4], id, count + 1)",
        only: 'the same one when it comes back',
      },
    ],
  },
  {
    file: 'redis/redis.conf',
    test: 'test/native/eviction.test.ts',
    mutants: [
      {
        name: 'sessions-evicted',
        find: 'maxmemory-policy volatile-ttl',
        replace: 'maxmemory-policy allkeys-lru',
      },
    ],
  },
];

/** All mutants. */
export const mutants: Mutant[] = groups.flatMap(({ file, test, mutants }) =>
  mutants.map((mutant) => ({ file, test, ...mutant })),
);
