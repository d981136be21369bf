import { type CommandParser, defineScript } from 'redis';
import { keysOf } from './session-keys.ts';

/** The most different items in a cart. */
export const MAX_ITEMS = 50;

/**
 * A script that changes or reads what belongs to a session, in one step, however many instances do
 * so at once. It does nothing and answers nil where the session has ended; otherwise it puts off the
 * end of all its keys. In `body`, KEYS are those of `keysOf`, and the arguments begin at ARGV[2].
 *
 * @param putOff `pcall` for what only reads, so that it serves where Redis refuses to write
 * @see https://redis.io/docs/latest/develop/programmability/eval-intro/
 */
function sessionScript<Args extends unknown[], Reply>(
  body: string,
  args: (...args: Args) => (string | number)[],
  putOff: 'call' | 'pcall' = 'call',
) {
  return defineScript({
    NUMBER_OF_KEYS: 4,
    SCRIPT: `
      if redis.call('EXISTS', KEYS[1]) == 0 then return nil end
      local function body() ${body} end
      local reply = body()
      for i = 1, 4 do redis.${putOff}('EXPIRE', KEYS[i], ARGV[1]) end
      return reply`,
    parseCommand(parser: CommandParser, id: string, ttlSeconds: number, ...rest: Args) {
      parser.pushKeys(keysOf(id));
      parser.push(String(ttlSeconds), ...args(...rest).map(String));
    },
    transformReply: (reply: unknown) => reply as Reply | null,
  });
}

/** Counts a view. Replies with the number of views so far. */
const countView = sessionScript<[], number>(`return redis.call('INCR', KEYS[2])`, () => []);

/** Adds to an item of the cart. Replies with its quantity, or -1 where the cart is full. */
const addToCart = sessionScript<[item: string, quantity: number], number>(
  `
  local full = redis.call('HLEN', KEYS[3]) >= ${MAX_ITEMS}
  if full and redis.call('HEXISTS', KEYS[3], ARGV[2]) == 0 then return -1 end
  return redis.call('HINCRBY', KEYS[3], ARGV[2], ARGV[3])`,
  (item, quantity) => [item, quantity],
);

/** Takes an item out of the cart. Replies with how many there were, 0 or 1. */
const removeFromCart = sessionScript<[item: string], number>(
  `return redis.call('HDEL', KEYS[3], ARGV[2])`,
  (item) => [item],
);

/** Sets a field of the profile. */
const setProfile = sessionScript<[field: string, value: string], number>(
  `return redis.call('HSET', KEYS[4], ARGV[2], ARGV[3])`,
  (field, value) => [field, value],
);

/** Reads it all: the views, then the cart and the profile, each as field, value, field, value. */
const readState = sessionScript<[], unknown>(
  `
  local views, cart = redis.call('GET', KEYS[2]), redis.call('HGETALL', KEYS[3])
  local numbers = { views or 0 }
  for i = 2, #cart, 2 do table.insert(numbers, cart[i]) end
  for _, number in ipairs(numbers) do
    if not string.match(number, '^%d+$') then return redis.error_reply('ERR not an integer') end
  end
  return { views, cart, redis.call('HGETALL', KEYS[4]) }`,
  () => [],
  'pcall',
);

/** Drops what cannot be views, a cart or a profile, and nothing else. */
const repairState = sessionScript<[], number>(
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
 * Puts a new session, with what belonged to the old one, in its place. Replies with 1, or 0 where
 * the old one has ended. The old one goes last, so that it is whole where Redis refuses a step.
 * (A Redis Cluster would refuse the whole: the two ids are in different slots.)
 */
const replaceSession = defineScript({
  NUMBER_OF_KEYS: 8,
  SCRIPT: `
    if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
    redis.call('SET', KEYS[5], ARGV[2], 'EX', ARGV[1])
    for i = 2, 4 do
      local value = redis.call('DUMP', KEYS[i])
      if value then redis.call('RESTORE', KEYS[i + 4], ARGV[1] * 1000, value) end
    end
    return redis.call('DEL', KEYS[1], KEYS[2], KEYS[3], KEYS[4]) > 0 and 1`,
  parseCommand(parser: CommandParser, before: string, after: string, ttl: number, json: string) {
    parser.pushKeys([...keysOf(before), ...keysOf(after)]);
    parser.push(String(ttl), json);
  },
  transformReply: (reply: unknown) => reply === 1,
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
};
