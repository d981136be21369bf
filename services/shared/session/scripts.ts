import { type CommandParser, defineScript } from 'redis';
import { keysOf, replacedKeyOf, seenKeyOf } from './keys.ts';

/** The most different items in a cart. */
export const MAX_ITEMS = 50;

/** Seconds for which it is known that a change was applied: much longer than nginx tries again. */
const SEEN_SECONDS = 60;

/**
 * Seconds for which it is known that a session was replaced: longer than a request is under way that
 * was sent with the cookie of before. A client that never got the new one has to wait that long.
 */
const REPLACED_SECONDS = 10;

/** The session that a script works on. */
export interface Target {
  id: string;
  /** Seconds after which the session ends where nobody uses it. */
  ttlSeconds: number;
  /** The id under which a change is applied once, however often it is asked for. */
  changeId?: string | undefined;
}

// Scripts are one step in Redis, however many instances work on the same session at once.
// https://redis.io/docs/latest/develop/programmability/eval-intro/

/**
 * Lua: fails as Redis does without memory, before Redis would have to evict sessions to make room.
 * Over nine tenths of the memory, something new is stored only where what would go for it is cache:
 * where at least half of 20 random keys are.
 */
const MAKE_SURE_OF_ROOM = `
  local memory = redis.call('INFO', 'memory')
  local used = tonumber(string.match(memory, 'used_memory:(%d+)'))
  local max = tonumber(string.match(memory, 'maxmemory:(%d+)'))
  if max > 0 and used > 0.9 * max then
    local cache = 0
    for _ = 1, 20 do
      if string.sub(redis.call('RANDOMKEY') or '', 1, 6) == 'cache:' then cache = cache + 1 end
    end
    if cache < 10 then return redis.error_reply('OOM sessions have filled the memory') end
  end`;

/** Lua: puts off the end of all keys of a session. */
const PUT_OFF = "for i = 1, 4 do redis.call('EXPIRE', KEYS[i], ARGV[1]) end";

/** What every script on one session is told: its keys, and for how long they and the note live. */
function pushTarget(parser: CommandParser, { id, ttlSeconds, changeId }: Target): void {
  parser.pushKeys([...keysOf(id), seenKeyOf(id, changeId)]);
  parser.push(String(ttlSeconds), changeId === undefined ? '0' : String(SEEN_SECONDS));
}

/**
 * A script that changes or reads what belongs to a session. It does nothing and answers nil where
 * the session has ended; otherwise it puts off the end of all its keys. A change that was applied
 * before is not applied again, but answered as it was then. In `body`, KEYS are those of `keysOf`,
 * and the arguments begin at ARGV[3].
 *
 * @param kind what only reads serves also where Redis refuses to write
 */
function sessionScript<Args extends unknown[], Reply>(
  kind: 'change' | 'read',
  body: string,
  args: (...args: Args) => (string | number)[],
) {
  // Noted before it is applied, and taken back where it fails: so either both are stored or none.
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
    ${PUT_OFF}`;
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
 * Counts a view: the most frequent change by far, so it does as little as it can. Replies with the
 * number of views so far and with the stored session, which need not be read before then. It puts
 * off the end of the session only where it is told to, or has to.
 */
const countView = defineScript({
  NUMBER_OF_KEYS: 5,
  SCRIPT: `
    local function lackOfRoom() ${MAKE_SURE_OF_ROOM} end
    local session = redis.call('GET', KEYS[1])
    if not session then return nil end
    local once = ARGV[2] ~= '0'
    local seen = once and redis.call('GET', KEYS[5])
    if seen then return {tonumber(seen), session} end
    local views = redis.call('INCR', KEYS[2])
    local full = views == 1 and lackOfRoom()
    if full then
      redis.call('DEL', KEYS[2])
      return full
    end
    if once then
      local noted = redis.pcall('SET', KEYS[5], views, 'EX', ARGV[2])
      if noted.err then
        redis.call('DECR', KEYS[2])
        return noted
      end
    end
    if ARGV[3] == '1' or views == 1 then ${PUT_OFF} end
    return {views, session}`,
  parseCommand(parser: CommandParser, target: Target, putOff: boolean) {
    pushTarget(parser, target);
    parser.push(putOff ? '1' : '0');
  },
  transformReply: (reply: unknown) => {
    const [views, session] = (reply ?? []) as [views?: number, session?: string];
    return views === undefined ? null : { views, session: session as string };
  },
});

/** Adds to an item of the cart. Replies with its quantity, or -1 where the cart is full. */
const addToCart = sessionScript<[item: string, quantity: number], number>(
  'change',
  `
  if redis.call('HEXISTS', KEYS[3], ARGV[3]) == 0 then
    if redis.call('HLEN', KEYS[3]) >= ${MAX_ITEMS} then return -1 end
    ${MAKE_SURE_OF_ROOM}
  end
  return redis.call('HINCRBY', KEYS[3], ARGV[3], ARGV[4])`,
  (item, quantity) => [item, quantity],
);

/** Takes an item out of the cart. Replies with how many there were, 0 or 1. */
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
  if not before or #ARGV[4] > #before then ${MAKE_SURE_OF_ROOM} end
  return redis.call('HSET', KEYS[4], ARGV[3], ARGV[4])`,
  (field, value) => [field, value],
);

/** Reads it all: the views, then the cart and the profile, each as field, value, field, value. */
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

/** Drops what cannot be views, a cart or a profile, and nothing else. */
const repairState = sessionScript<[], number>(
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
 * Stores a session: a new one only where there is none of that id, one that was read only where it
 * has not ended since. Replies whether it did.
 */
const storeSession = defineScript({
  NUMBER_OF_KEYS: 1,
  SCRIPT: `
    if ARGV[3] == 'NX' then ${MAKE_SURE_OF_ROOM} end
    return redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[1], ARGV[3])`,
  parseCommand(parser: CommandParser, { id, ttlSeconds }: Target, json: string, isNew: boolean) {
    parser.pushKey(keysOf(id)[0]);
    parser.push(String(ttlSeconds), json, isNew ? 'NX' : 'XX');
  },
  transformReply: (reply: unknown) => reply !== null,
});

/**
 * Puts a new session, with what belonged to the old one, in its place. Replies with the id of the
 * new one, also where that was done before by the same change, and with nil where the old one has
 * ended otherwise. The old one goes last, so that it is whole where Redis refuses a step.
 * (A Redis Cluster would refuse the whole: the two ids are in different slots.)
 */
const replaceSession = defineScript({
  NUMBER_OF_KEYS: 10,
  SCRIPT: `
    if redis.call('EXISTS', KEYS[1]) == 0 then return redis.call('GET', KEYS[9]) end
    ${MAKE_SURE_OF_ROOM}
    redis.call('SET', KEYS[5], ARGV[3], 'EX', ARGV[1])
    for i = 2, 4 do
      local value = redis.call('DUMP', KEYS[i])
      if value then redis.call('RESTORE', KEYS[i + 4], ARGV[1] * 1000, value) end
    end
    if ARGV[2] ~= '0' then redis.call('SET', KEYS[9], ARGV[4], 'EX', ARGV[2]) end
    redis.call('SET', KEYS[10], '', 'EX', ${REPLACED_SECONDS})
    redis.call('DEL', KEYS[1], KEYS[2], KEYS[3], KEYS[4])
    return ARGV[4]`,
  parseCommand(parser: CommandParser, target: Target, after: string, json: string) {
    const { id, ttlSeconds, changeId } = target;
    parser.pushKeys([...keysOf(id), ...keysOf(after)]);
    parser.pushKeys([seenKeyOf(id, changeId), replacedKeyOf(id)]);
    parser.push(String(ttlSeconds), changeId === undefined ? '0' : String(SEEN_SECONDS));
    parser.push(json, after);
  },
  transformReply: (reply: unknown) => reply as string | null,
});

/** The scripts that a client of Redis has to know. */
export const sessionScripts = {
  addToCart,
  countView,
  readState,
  removeFromCart,
  repairState,
  replaceSession,
  setProfile,
  storeSession,
};
