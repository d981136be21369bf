import { type CommandParser, defineScript, type RedisClientType } from 'redis';
import { appliedKey, replacedKey, sessionKeys } from './keys.ts';

// Redis runs each script as one step, however many instances change the same session at once.
// https://redis.io/docs/latest/develop/programmability/eval-intro/

/** The largest number of different items in a cart. */
export const MAX_ITEMS = 50;

/** Seconds for which an applied idempotency key is kept. */
export const APPLIED_TTL_SECONDS = 60;

/**
 * Seconds for which a replaced session is remembered: longer than any request that was sent with the
 * old cookie. A client that never received the new cookie has to wait that long.
 */
const REPLACED_TTL_SECONDS = 10;

/** The session that a script works on. */
export interface Target {
  id: string;
  /** Seconds after which an unused session expires. */
  ttlSeconds: number;
  /** The key under which a change is applied at most once. */
  idempotencyKey?: string | undefined;
}

/**
 * Lua: refuses new data before Redis would have to evict sessions for it. Over 90 % of the memory it
 * is refused unless at least half of 20 random keys are cache entries, which are evicted first.
 */
const REQUIRE_HEADROOM = `
  local memory = redis.call('INFO', 'memory')
  local used = tonumber(string.match(memory, 'used_memory:(%d+)'))
  local max = tonumber(string.match(memory, 'maxmemory:(%d+)'))
  if max > 0 and used > 0.9 * max then
    local cached = 0
    for _ = 1, 20 do
      if string.sub(redis.call('RANDOMKEY') or '', 1, 6) == 'cache:' then cached = cached + 1 end
    end
    if cached < 10 then return redis.error_reply('OOM sessions have filled the memory') end
  end`;

/** Lua: extends the TTL of all keys of a session. */
const EXTEND_TTL = "for i = 1, 4 do redis.call('EXPIRE', KEYS[i], ARGV[1]) end";

/** Every script on one session begins with these keys and arguments. */
function pushTarget(parser: CommandParser, { id, ttlSeconds, idempotencyKey }: Target): void {
  parser.pushKeys([...sessionKeys(id), appliedKey(id, idempotencyKey)]);
  parser.push(String(ttlSeconds), idempotencyKey === undefined ? '0' : String(APPLIED_TTL_SECONDS));
}

/**
 * A script on the state of a session. It replies nil if the session has ended; otherwise it extends
 * the TTL. A change that was already applied under its idempotency key replies as it did then.
 *
 * @param kind `read` also works if Redis refuses to write
 * @param body Lua; KEYS are those of `sessionKeys`, its own arguments begin at ARGV[3]
 */
function sessionScript<Args extends unknown[], Reply>(
  kind: 'change' | 'read',
  body: string,
  args: (...args: Args) => (string | number)[],
) {
  // The key is claimed before the change and released if it fails: both are stored, or neither.
  const change = `
    local once = ARGV[2] ~= '0'
    if once and not redis.call('SET', KEYS[5], '', 'NX', 'EX', ARGV[2]) then
      return tonumber(redis.call('GET', KEYS[5]))
    end
    local done, reply = pcall(body)
    local failure = type(reply) == 'table' and reply.err or (not done and reply)
    if failure then
      if once then redis.call('DEL', KEYS[5]) end
      return redis.error_reply(failure)
    end
    if once then redis.call('SET', KEYS[5], tostring(reply), 'EX', ARGV[2]) end
    ${EXTEND_TTL}`;
  const read = `
    local reply = body()
    for i = 1, 4 do redis.pcall('EXPIRE', KEYS[i], ARGV[1]) end`;
  return defineScript({
    NUMBER_OF_KEYS: 5,
    SCRIPT: `
      if redis.call('EXISTS', KEYS[1]) == 0 then return nil end
      local function body() ${body} end
      ${kind === 'change' ? change : read}
      return reply`,
    parseCommand(parser: CommandParser, target: Target, ...rest: Args) {
      pushTarget(parser, target);
      parser.push(...args(...rest).map(String));
    },
    transformReply: (reply: unknown) => reply as Reply | null,
  });
}

/**
 * Counts a view. By far the most frequent change, so it does as little as it can. Replies with the
 * number of views and the session as stored, so that the fast path need not read it first.
 *
 * @param extendTtl if false, only the first view extends the TTL
 */
const countView = defineScript({
  NUMBER_OF_KEYS: 5,
  SCRIPT: `
    local function refusal() ${REQUIRE_HEADROOM} end
    local session = redis.call('GET', KEYS[1])
    if not session then return nil end
    local once = ARGV[2] ~= '0'
    local applied = once and redis.call('GET', KEYS[5])
    if applied then return {tonumber(applied), session} end
    local views = redis.call('INCR', KEYS[2])
    local refused = views == 1 and refusal()
    if refused then
      redis.call('DEL', KEYS[2])
      return refused
    end
    if once then
      local noted = redis.pcall('SET', KEYS[5], views, 'EX', ARGV[2])
      if noted.err then
        redis.call('DECR', KEYS[2])
        return noted
      end
    end
    if ARGV[3] == '1' or views == 1 then ${EXTEND_TTL} end
    return {views, session}`,
  parseCommand(parser: CommandParser, target: Target, extendTtl: boolean) {
    pushTarget(parser, target);
    parser.push(extendTtl ? '1' : '0');
  },
  transformReply: (reply: unknown) => {
    const [views, session] = (reply ?? []) as [views?: number, session?: string];
    return views === undefined ? null : { views, session: session as string };
  },
});

/** Adds to an item of the cart. Replies with its quantity, or -1 if the cart is full. */
const addToCart = sessionScript<[item: string, quantity: number], number>(
  'change',
  `
  if redis.call('HEXISTS', KEYS[3], ARGV[3]) == 0 then
    if redis.call('HLEN', KEYS[3]) >= ${MAX_ITEMS} then return -1 end
    ${REQUIRE_HEADROOM}
  end
  return redis.call('HINCRBY', KEYS[3], ARGV[3], ARGV[4])`,
  (item, quantity) => [item, quantity],
);

/** Removes an item from the cart. Replies with 1, or 0 if it was not there. */
const removeFromCart = sessionScript<[item: string], number>(
  'change',
  `return redis.call('HDEL', KEYS[3], ARGV[3])`,
  (item) => [item],
);

/** Sets a field of the profile. */
const setProfile = sessionScript<[field: string, value: string], number>(
  'change',
  `
  local before = redis.call('HGET', KEYS[4], ARGV[3])
  if not before or #ARGV[4] > #before then ${REQUIRE_HEADROOM} end
  return redis.call('HSET', KEYS[4], ARGV[3], ARGV[4])`,
  (field, value) => [field, value],
);

/** Replies with the views, then the cart and the profile, each as field, value, field, value. */
const readState = sessionScript<[], unknown>(
  'read',
  `
  local views, cart = redis.call('GET', KEYS[2]), redis.call('HGETALL', KEYS[3])
  local numbers = { views or 0 }
  for i = 2, #cart, 2 do table.insert(numbers, cart[i]) end
  for _, number in ipairs(numbers) do
    if not string.match(number, '^%d+$') then return redis.error_reply('ERR not an integer') end
  end
  return { views, cart, redis.call('HGETALL', KEYS[4]) }`,
  () => [],
);

/** Drops keys and fields that cannot be views, a cart or a profile. */
const dropCorruptState = sessionScript<[], number>(
  'read',
  `
  for i, kind in ipairs({ 'string', 'hash', 'hash' }) do
    local found = redis.call('TYPE', KEYS[i + 1]).ok
    if found ~= kind and found ~= 'none' then redis.call('DEL', KEYS[i + 1]) end
  end
  local views, cart = redis.call('GET', KEYS[2]), redis.call('HGETALL', KEYS[3])
  if views and not string.match(views, '^%d+$') then redis.call('DEL', KEYS[2]) end
  for i = 2, #cart, 2 do
    if not string.match(cart[i], '^%d+$') then redis.call('HDEL', KEYS[3], cart[i - 1]) end
  end
  return 1`,
  () => [],
);

/**
 * Stores a session: a new one only if its id is free, another one only if it has not ended. Replies
 * whether it was stored.
 */
const storeSession = defineScript({
  NUMBER_OF_KEYS: 1,
  SCRIPT: `
    if ARGV[3] == 'NX' then ${REQUIRE_HEADROOM} end
    return redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[1], ARGV[3])`,
  parseCommand(parser: CommandParser, { id, ttlSeconds }: Target, json: string, isNew: boolean) {
    parser.pushKey(sessionKeys(id)[0]);
    parser.push(String(ttlSeconds), json, isNew ? 'NX' : 'XX');
  },
  transformReply: (reply: unknown) => reply !== null,
});

/**
 * Replaces a session by a new one, which takes over its state. Replies with the id of the new one,
 * also if the same request did it before; nil if the old session has ended otherwise. The old one is
 * deleted last, so that it stays whole if Redis refuses a step.
 */
const replaceSession = defineScript({
  NUMBER_OF_KEYS: 10,
  SCRIPT: `
    if redis.call('EXISTS', KEYS[1]) == 0 then return redis.call('GET', KEYS[9]) end
    ${REQUIRE_HEADROOM}
    redis.call('SET', KEYS[5], ARGV[3], 'EX', ARGV[1])
    for i = 2, 4 do
      local value = redis.call('DUMP', KEYS[i])
      if value then redis.call('RESTORE', KEYS[i + 4], ARGV[1] * 1000, value) end
    end
    if ARGV[2] ~= '0' then redis.call('SET', KEYS[9], ARGV[4], 'EX', ARGV[2]) end
    redis.call('SET', KEYS[10], '', 'EX', ${REPLACED_TTL_SECONDS})
    redis.call('DEL', KEYS[1], KEYS[2], KEYS[3], KEYS[4])
    return ARGV[4]`,
  parseCommand(parser: CommandParser, target: Target, newId: string, json: string) {
    const { id, ttlSeconds, idempotencyKey } = target;
    parser.pushKeys([...sessionKeys(id), ...sessionKeys(newId)]);
    parser.pushKeys([appliedKey(id, idempotencyKey), replacedKey(id)]);
    parser.push(
      String(ttlSeconds),
      idempotencyKey === undefined ? '0' : String(APPLIED_TTL_SECONDS),
    );
    parser.push(json, newId);
  },
  transformReply: (reply: unknown) => reply as string | null,
});

/** The scripts to pass to `createClient`. */
export const sessionScripts = {
  addToCart,
  countView,
  dropCorruptState,
  readState,
  removeFromCart,
  replaceSession,
  setProfile,
  storeSession,
};

/** A Redis client that knows these scripts. */
export type SessionRedis = RedisClientType<
  Record<never, never>,
  Record<never, never>,
  typeof sessionScripts
>;
