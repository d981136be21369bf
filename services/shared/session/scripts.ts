import { type CommandParser, defineScript, type RedisClientType } from 'redis';
import { appliedField, appliedKeys, replacedKey, sessionKeys } from './keys.ts';

// Redis runs each script as one step, however many instances change the same session at once.
// https://redis.io/docs/latest/develop/programmability/eval-intro/

/** The largest number of different items in a cart. */
export const MAX_ITEMS = 50;

/** Seconds for which an applied idempotency key is known, at least. */
export const APPLIED_SECONDS = 60;

/**
 * Seconds after which the applied keys of a visitor expire. In the seconds above, they still live
 * longer than entries of the cache, so that a full Redis evicts these first.
 */
export const APPLIED_TTL_SECONDS = 240;

/** The largest number of applied keys of one visitor in a minute. More changes are refused. */
export const MAX_APPLIED = 20_000;

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
  /**
   * One change of a visitor in some seconds has to extend the TTL, and to check the age and number of
   * the applied keys. If false, a change does so only if it creates a key.
   */
  maintain?: boolean;
}

/**
 * Lua: refuses new data if more than this share of the memory is used. It allows them if at least so
 * many of 20 random keys expire long before a session, so that Redis evicts these first. The error
 * says what the other keys are.
 */
const requireHeadroom = (share: number, evictable: number) => `
  local info = redis.pcall('INFO', 'memory') -- an ACL may deny it
  local memory = type(info) == 'string' and info or ''
  local used = tonumber(string.match(memory, 'used_memory:(%d+)')) or 0
  local max = tonumber(string.match(memory, 'maxmemory:(%d+)')) or 0
  if max > 0 and used > ${share} * max then
    local prefixes = { cache = 0, replaced = 0 }
    for _ = 1, 20 do
      local key = redis.pcall('RANDOMKEY')
      local prefix = string.match(type(key) == 'string' and key or '', '^[%w-]*')
      prefixes[prefix] = (prefixes[prefix] or 0) + 1
    end
    if prefixes.cache + prefixes.replaced < ${evictable} then
      local found = {}
      for prefix, count in pairs(prefixes) do
        if count > 0 then table.insert(found, string.sub(prefix, 1, 20) .. ': ' .. count) end
      end
      return redis.error_reply('OOM ${share * 100} % of maxmemory are used; prefixes of 20 random keys: '
        .. table.concat(found, ', '))
    end
  end`;

/** Lua: refuses new data of a session before Redis would have to evict sessions for it. */
const REQUIRE_HEADROOM = requireHeadroom(0.9, 10);

/** Lua: tells whether a stored text is a number that a change has stored. INCR refuses others. */
const IS_COUNT = `
  local function isCount(text)
    return type(text) == 'string' and #text <= 15
      and (text == '0' or string.match(text, '^[1-9]%d*$'))
  end`;

/** Lua: fails if the value before a change is not a number; see `isCorrupt` in state.ts. */
const REQUIRE_COUNT = `
  if before and not isCount(before) then return redis.error_reply('CORRUPT not a count') end`;

/**
 * Lua: sets `applied` to the result of the same change, if KEYS[at] or the next one holds it, and
 * `hasNotes` if KEYS[at] exists. If it finds a result, it writes, because WAIT covers what other
 * connections have written only up to the last write of its own.
 */
const findApplied = (at: number) => `
  local once, applied, hasNotes = ARGV[2] ~= '', false, false
  local latest, earlier = KEYS[${at}], KEYS[${at + 1}]
  local function find(key, ...)
    local found = redis.pcall('HMGET', key, ...)
    if not found.err then return unpack(found) end
    if string.find(found.err, 'WRONGTYPE') then redis.call('DEL', key) end
    return unpack(redis.call('HMGET', key, ...))
  end
  if once then
    applied, hasNotes = find(latest, ARGV[2], '')
    local holder = applied and latest or earlier
    applied = applied or find(earlier, ARGV[2])
    if applied then redis.call('PEXPIRE', holder, redis.call('PTTL', holder)) end
  end`;

/**
 * Lua: fails if the result of the change cannot be stored under the idempotency key, because it could
 * then be applied twice. `latest` holds the latest results. If it is so old that new ones would expire
 * too early, it becomes `earlier`, and the results that were there are forgotten.
 */
const requireNotes = (headroom = '') => `
  if once and (maintain or not hasNotes) then
    local count = redis.call('HLEN', latest)
    if redis.call('PTTL', latest) < ${(APPLIED_TTL_SECONDS - APPLIED_SECONDS) * 1000} then
      if count > 0 then redis.call('RENAME', latest, earlier) end
      ${headroom}
      redis.call('EXPIRE', latest, 1) -- if this is denied, it is before the key exists
      redis.call('HSET', latest, '', '')
      redis.call('EXPIRE', latest, ${APPLIED_TTL_SECONDS})
    elseif count > ${MAX_APPLIED} then
      return redis.error_reply('FLOOD a visitor made ${MAX_APPLIED} changes in a minute')
    end
  end`;

/** The reply of a script on a session, and the session as stored; null if it has ended. */
function withSession<T>(found: unknown): { reply: T; session: string } | null {
  const [reply, session] = (found ?? []) as [T?, string?];
  return session === undefined ? null : { reply: reply as T, session };
}

/**
 * A script that changes one key of a session. It replies with a number and the session as stored;
 * nil if the session has ended. A change that was already applied under its idempotency key replies
 * as it did then.
 *
 * The change is applied whole or not at all, even if an ACL denies a command. So the result is stored
 * before the change, and taken back by the same command if Redis refuses the change.
 *
 * @param changed the index of the key in `sessionKeys`
 * @param before Lua: the session and the value before the change, which is nil if there is none
 * @param check Lua: returns from the script if the change is not allowed
 * @param result Lua: the number to reply with
 * @param change Lua: the command, and its arguments, which begin at ARGV[3]
 */
function changeScript<Args extends (string | number)[]>(
  changed: 1 | 2 | 3,
  lua: { before: string; check: string; result: string; change: string },
) {
  return defineScript({
    SCRIPT: `
      ${IS_COUNT}
      local session, before = ${lua.before}
      if not session then return nil end
      local maintain = #KEYS > 4
      ${findApplied(3)}
      if isCount(applied) then return {tonumber(applied), session} end
      ${lua.check}
      ${requireNotes(`if before then ${requireHeadroom(0.97, 1)} end`)}
      if maintain or not before then
        for i, key in ipairs(KEYS) do
          if i < 3 or i > 4 then redis.call('EXPIRE', key, ARGV[1]) end
        end
      end
      local result = ${lua.result}
      if once then redis.call('HSET', latest, ARGV[2], result) end
      local reply = redis.pcall(${lua.change})
      if type(reply) == 'table' then
        if once then redis.call('HSET', latest, ARGV[2], '') end
        return reply
      end
      if not before then redis.call('EXPIRE', KEYS[2], ARGV[1]) end
      return {result, session}`,
    parseCommand(parser: CommandParser, target: Target, ...args: Args) {
      const { id, ttlSeconds, idempotencyKey, maintain = true } = target;
      const own = sessionKeys(id);
      const keys = [own[0], own[changed], ...appliedKeys(id)];
      if (maintain) keys.push(...own.filter((key) => !keys.includes(key)));
      parser.push(String(keys.length));
      parser.pushKeys(keys);
      parser.push(String(ttlSeconds), appliedField(id, idempotencyKey), ...args.map(String));
    },
    transformReply: withSession<number>,
  });
}

/** Lua: the session, and the field of the changed key that the first argument names. */
const FIELD_BEFORE = `redis.call('GET', KEYS[1]), redis.call('HGET', KEYS[2], ARGV[3])`;

/** Counts a view. Replies with the number of views. */
const countView = changeScript<[]>(1, {
  before: `unpack(redis.call('MGET', KEYS[1], KEYS[2]))`,
  check: `if not before then ${REQUIRE_HEADROOM} end ${REQUIRE_COUNT}`,
  result: '(before or 0) + 1',
  change: `'INCR', KEYS[2]`,
});

/** Adds to an item of the cart. Replies with its quantity, or -1 if the cart is full. */
const addToCart = changeScript<[item: string, quantity: number]>(2, {
  before: FIELD_BEFORE,
  check: `
      if not before then
        if redis.call('HLEN', KEYS[2]) >= ${MAX_ITEMS} then return {-1, session} end
        ${REQUIRE_HEADROOM}
      end
      ${REQUIRE_COUNT}`,
  result: '(before or 0) + ARGV[4]',
  change: `'HINCRBY', KEYS[2], ARGV[3], ARGV[4]`,
});

/** Removes an item from the cart. Replies with 1, or 0 if it was not there. */
const removeFromCart = changeScript<[item: string]>(2, {
  before: FIELD_BEFORE,
  check: '',
  result: 'before and 1 or 0',
  change: `'HDEL', KEYS[2], ARGV[3]`,
});

/** Sets a field of the profile. */
const setProfile = changeScript<[field: string, value: string]>(3, {
  before: FIELD_BEFORE,
  check: `if not before or #ARGV[4] > #before then ${REQUIRE_HEADROOM} end`,
  result: '1',
  change: `'HSET', KEYS[2], ARGV[3], ARGV[4]`,
});

/** A script that also works if Redis refuses to write. It replies nil if the session has ended. */
function readScript<Reply>(body: string, transformReply: (reply: unknown) => Reply) {
  return defineScript({
    NUMBER_OF_KEYS: 4,
    SCRIPT: `
      ${IS_COUNT}
      local session = redis.call('GET', KEYS[1])
      if not session then return nil end
      for i = 1, 4 do redis.pcall('EXPIRE', KEYS[i], ARGV[1]) end
      ${body}`,
    parseCommand(parser: CommandParser, { id, ttlSeconds }: Target) {
      parser.pushKeys(sessionKeys(id));
      parser.push(String(ttlSeconds));
    },
    transformReply,
  });
}

/** Replies with the views, the cart and the profile, and the session as stored. */
const readState = readScript(
  `
  local views, cart = redis.call('GET', KEYS[2]), redis.call('HGETALL', KEYS[3])
  local counts = { views or '0' }
  for i = 2, #cart, 2 do table.insert(counts, cart[i]) end
  for _, before in ipairs(counts) do ${REQUIRE_COUNT} end
  return {{ views or '0', cart, redis.call('HGETALL', KEYS[4]) }, session}`,
  withSession<(string | string[])[]>,
);

/** Drops keys and fields that cannot be views, a cart or a profile. */
const dropCorruptState = readScript(
  `
  for i, kind in ipairs({ 'string', 'hash', 'hash' }) do
    local found = redis.call('TYPE', KEYS[i + 1]).ok
    if found ~= kind and found ~= 'none' then redis.call('DEL', KEYS[i + 1]) end
  end
  local views, cart = redis.call('GET', KEYS[2]), redis.call('HGETALL', KEYS[3])
  if views and not isCount(views) then redis.call('DEL', KEYS[2]) end
  for i = 2, #cart, 2 do
    if not isCount(cart[i]) then redis.call('HDEL', KEYS[3], cart[i - 1]) end
  end`,
  () => {},
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
 * also if the same request did it before; nil if the old session has ended otherwise. If Redis
 * refuses a step, the old session is still whole, and nothing is left of the new one.
 */
const replaceSession = defineScript({
  NUMBER_OF_KEYS: 11,
  SCRIPT: `
    local maintain = true
    ${findApplied(9)}
    if redis.call('EXISTS', KEYS[1]) == 0 then return applied end
    ${REQUIRE_HEADROOM}
    ${requireNotes()}
    local function drop(first, last) return redis.call('DEL', unpack(KEYS, first, last)) end
    drop(5, 8) -- nothing is there; a Redis that denies DEL denies it before anything is stored
    local isDone, failure = pcall(function()
      redis.call('SET', KEYS[5], ARGV[3], 'EX', ARGV[1])
      for i = 2, 4 do
        local value = redis.call('DUMP', KEYS[i])
        if value then redis.call('RESTORE', KEYS[i + 4], ARGV[1] * 1000, value) end
      end
      if once then redis.call('HSET', KEYS[9], ARGV[2], ARGV[4]) end
      redis.call('SET', KEYS[11], '', 'EX', ${REPLACED_TTL_SECONDS})
      drop(1, 4)
    end)
    if isDone then return ARGV[4] end
    drop(5, 8)
    return redis.error_reply(type(failure) == 'table' and failure.err or failure)`,
  parseCommand(parser: CommandParser, target: Target, newId: string, json: string) {
    const { id, ttlSeconds, idempotencyKey } = target;
    parser.pushKeys([...sessionKeys(id), ...sessionKeys(newId)]);
    parser.pushKeys([...appliedKeys(id), replacedKey(id)]);
    parser.push(String(ttlSeconds), appliedField(id, idempotencyKey), json, newId);
  },
  transformReply: (reply: unknown) => reply as string | null,
});

/**
 * Deletes a session with its state. If it is gone already, this writes all the same: see `findApplied`.
 */
const deleteSession = defineScript({
  NUMBER_OF_KEYS: 4,
  SCRIPT: `
    if redis.call('DEL', unpack(KEYS)) > 0 then return end
    redis.call('SET', KEYS[4], '')
    redis.call('DEL', KEYS[4])`,
  parseCommand(parser: CommandParser, id: string) {
    parser.pushKeys(sessionKeys(id));
  },
  transformReply: () => {},
});

/**
 * Agrees on a secret of 43 characters, 32 random bytes in base64url. Replies with the stored one, or
 * else stores the offered one; an empty offer stores nothing. It has no TTL, so that it is never
 * evicted.
 */
const agreeOnSecret = defineScript({
  NUMBER_OF_KEYS: 1,
  SCRIPT: `
    local kind = redis.call('TYPE', KEYS[1]).ok
    local stored = kind == 'string' and redis.call('GET', KEYS[1])
    if stored and #stored == 43 and string.match(stored, '^[%w_-]+$') then return {stored, 0} end
    if ARGV[1] == '' then return {'', 0} end
    redis.call('SET', KEYS[1], ARGV[1])
    return {ARGV[1], kind == 'none' and 0 or 1}`,
  parseCommand(parser: CommandParser, offered: string) {
    parser.pushKey('secret:session');
    parser.push(offered);
  },
  transformReply: (reply: unknown) => {
    const [agreed, wasCorrupt] = reply as [agreed: string, wasCorrupt: number];
    return { agreed, wasCorrupt: wasCorrupt === 1 };
  },
});

/** The scripts to pass to `createClient`. */
export const sessionScripts = {
  addToCart,
  agreeOnSecret,
  countView,
  deleteSession,
  dropCorruptState,
  readState,
  removeFromCart,
  replaceSession,
  setProfile,
  storeSession,
};

/** What a visitor may be told of as done: all changes, and the end of a session. */
export const sessionChanges = [
  'addToCart',
  'countView',
  'deleteSession',
  'removeFromCart',
  'replaceSession',
  'setProfile',
  'storeSession',
];

/** A Redis client that knows these scripts. */
export type SessionRedis = RedisClientType<
  Record<never, never>,
  Record<never, never>,
  typeof sessionScripts
>;
