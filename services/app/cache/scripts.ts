import { type CommandParser, defineScript, type RedisClientType } from 'redis';

// The keys of one name. All begin with `cache:`, which tells session scripts that they may go first.
const entryKey = (name: string) => `cache:${name}`;
/** Holds the fencing token of the load in progress. */
const lockKey = (name: string) => `cache:lock:${name}`;
/** The last fencing token that was given out. */
const tokenKey = (name: string) => `cache:token:${name}`;
/** The invalidation watermark: loads with a token up to it may not store their entry. */
const watermarkKey = (name: string) => `cache:watermark:${name}`;

/** The name and kind of a key that changed; `undefined` for keys that do not matter to readers. */
export function parseKey(
  key: string,
): { name: string; kind: 'entry' | 'lock' | 'watermark' } | undefined {
  const [, kind = 'entry:', name] = /^cache:(lock:|token:|watermark:)?(.+)$/.exec(key) ?? [];
  if (name === undefined || kind === 'token:') return undefined;
  return { name, kind: kind.slice(0, -1) as 'entry' | 'lock' | 'watermark' };
}

/** Lua: reads keys that may hold anything. */
const READ = `
  local function text(key)
    local value = redis.pcall('GET', key)
    return type(value) == 'string' and value or nil
  end
  local function number(key) return tonumber(text(key) or '') or 0 end
  local function tokenOf(key)
    local isJson, entry = pcall(cjson.decode, text(key) or '')
    return isJson and type(entry) == 'table' and tonumber(entry.token) or 0
  end`;

/** Replies with the entry as JSON, or nil, and its TTL in milliseconds. */
const readEntry = defineScript({
  NUMBER_OF_KEYS: 2,
  // Redis notifies a tracking client of the keys that its scripts have read. The watermark is read
  // too, because an invalidation changes it even if there is no entry.
  SCRIPT: `
    ${READ}
    redis.pcall('GET', KEYS[2])
    return {text(KEYS[1]) or false, redis.call('PTTL', KEYS[1])}`,
  parseCommand(parser: CommandParser, name: string) {
    parser.pushKeys([entryKey(name), watermarkKey(name)]);
  },
  transformReply: (reply: unknown) => {
    const [json, ttlMs] = reply as [string | null, number];
    return { json, ttlMs };
  },
});

/** The answer to a load that wants to begin. */
export type Begun =
  | { step: 'load'; token: number }
  | { step: 'found'; json: string; ttlMs: number }
  | { step: 'wait'; ms: number };

/**
 * Begins a load and replies with its fencing token. With a lock, it does not begin if there is an
 * entry newer than token `seen`, or if another load holds the lock.
 */
const beginLoad = defineScript({
  NUMBER_OF_KEYS: 4,
  SCRIPT: `
    ${READ}
    local lockMs = tonumber(ARGV[2])
    if lockMs > 0 then
      if tokenOf(KEYS[1]) > tonumber(ARGV[1]) then
        return {'found', text(KEYS[1]), redis.call('PTTL', KEYS[1])}
      end
      local heldMs = redis.call('PTTL', KEYS[2])
      if heldMs > 0 then return {'wait', heldMs} end
    end
    local token = math.max(number(KEYS[3]), number(KEYS[4]), tokenOf(KEYS[1])) + 1
    redis.call('SET', KEYS[3], token, 'PX', ARGV[3])
    if lockMs > 0 then redis.call('SET', KEYS[2], token, 'PX', lockMs) end
    return {'load', token}`,
  parseCommand(parser: CommandParser, name: string, seen: number, lockMs: number, keepMs: number) {
    parser.pushKeys([entryKey(name), lockKey(name), tokenKey(name), watermarkKey(name)]);
    parser.push(String(seen), String(lockMs), String(keepMs));
  },
  transformReply: (reply: unknown): Begun => {
    const [step, what, ttlMs] = reply as [Begun['step'], unknown, number];
    if (step === 'load') return { step, token: what as number };
    if (step === 'wait') return { step, ms: what as number };
    return { step, json: what as string, ttlMs };
  },
});

/** Extends the lock of a load that takes longer. */
const renewLock = defineScript({
  NUMBER_OF_KEYS: 1,
  SCRIPT: `
    if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end`,
  parseCommand(parser: CommandParser, name: string, token: number, lockMs: number) {
    parser.pushKey(lockKey(name));
    parser.push(String(token), String(lockMs));
  },
  transformReply: () => {},
});

/**
 * Ends a load and releases its lock, if it still holds it. Fencing: the entry is not stored if the
 * name was invalidated since the load began, or if a later load has stored one.
 * @see https://martin.kleppmann.com/2016/02/08/how-to-do-distributed-locking.html
 */
const endLoad = defineScript({
  NUMBER_OF_KEYS: 3,
  SCRIPT: `
    ${READ}
    local token = tonumber(ARGV[1])
    if text(KEYS[2]) == ARGV[1] then redis.call('DEL', KEYS[2]) end
    if ARGV[2] == '' or number(KEYS[3]) >= token or tokenOf(KEYS[1]) >= token then return end
    redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])`,
  parseCommand(parser: CommandParser, name: string, token: number, json = '', ttlMs = 0) {
    parser.pushKeys([entryKey(name), lockKey(name), watermarkKey(name)]);
    parser.push(String(token), json, String(ttlMs));
  },
  transformReply: () => {},
});

/** Deletes an entry, and raises the watermark so that loads in progress store nothing. */
const invalidate = defineScript({
  NUMBER_OF_KEYS: 4,
  SCRIPT: `
    ${READ}
    local watermark = math.max(number(KEYS[3]), number(KEYS[4]), tokenOf(KEYS[1]))
    redis.call('DEL', KEYS[1], KEYS[2])
    redis.call('SET', KEYS[4], watermark, 'PX', ARGV[1])`,
  parseCommand(parser: CommandParser, name: string, keepMs: number) {
    parser.pushKeys([entryKey(name), lockKey(name), tokenKey(name), watermarkKey(name)]);
    parser.push(String(keepMs));
  },
  transformReply: () => {},
});

/** The scripts to pass to `createClient`. */
export const cacheScripts = { beginLoad, endLoad, invalidate, readEntry, renewLock };

/** A Redis client that knows these scripts. */
export type CacheRedis = RedisClientType<
  Record<never, never>,
  Record<never, never>,
  typeof cacheScripts
>;
