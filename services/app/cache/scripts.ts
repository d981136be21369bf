import { type CommandParser, defineScript, type RedisClientType } from 'redis';

// The keys of one name. All begin with `cache:`, which tells session scripts that they may go first.
// The braces keep them in one slot of a Redis Cluster.
export const entryKey = (name: string) => `cache:{${name}}`;
/** Holds the fencing token of the load in progress. */
const lockKey = (name: string) => `cache:lock:{${name}}`;
/** The last fencing token that was given out. */
const tokenKey = (name: string) => `cache:token:{${name}}`;
/** The invalidation watermark: loads with a token up to it may not store their entry. */
const watermarkKey = (name: string) => `cache:watermark:{${name}}`;
/** What the last load came to that stored no entry, for the instances that waited for it. */
const outcomeKey = (name: string) => `cache:outcome:{${name}}`;
/** Exists while another instance waits for the load in progress. */
const awaitedKey = (name: string) => `cache:awaited:{${name}}`;

/** Milliseconds for which an outcome is kept: longer than the poll interval of waiters. */
const OUTCOME_MS = 1000;
/** Milliseconds after which an instance that no longer polls does not count as waiting. */
const AWAITED_MS = 250;

type Kind = 'entry' | 'lock' | 'watermark' | 'outcome';

/** The name and kind of a key that changed; `undefined` for keys that do not matter to readers. */
export function parseKey(key: string): { name: string; kind: Kind } | undefined {
  const [, kind = 'entry:', name] =
    /^cache:(lock:|token:|watermark:|outcome:|awaited:)?\{(.+)\}$/.exec(key) ?? [];
  if (name === undefined || kind === 'token:' || kind === 'awaited:') return undefined;
  return { name, kind: kind.slice(0, -1) as Kind };
}

/** Lua: reads keys that may hold anything. What cannot be a token counts as 0. */
const READ = `
  local function text(key)
    local value = redis.pcall('GET', key)
    return type(value) == 'string' and value or nil
  end
  local function token(value)
    if not string.match(tostring(value), '^%d+$') then return 0 end
    local number = tonumber(value)
    return number < ${Number.MAX_SAFE_INTEGER} and number or 0
  end
  local function tokenAt(key) return token(text(key)) end
  local function tokenOf(key)
    local isJson, entry = pcall(cjson.decode, text(key) or '')
    return isJson and type(entry) == 'table' and token(entry.token) or 0
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

/**
 * Reads nothing. Its reply proves that the Redis with this entry has sent all earlier invalidations,
 * and that it is not cut off from its Cluster; such a node answers PING.
 */
const confirm = defineScript({
  NUMBER_OF_KEYS: 1,
  SCRIPT: 'return 1',
  parseCommand(parser: CommandParser, name: string) {
    parser.pushKey(entryKey(name));
  },
  transformReply: () => {},
});

/** The answer to a load that wants to begin. */
export type Begun =
  | { step: 'load'; token: number }
  | { step: 'wait'; ms: number; token: number }
  | { step: 'found'; json: string; ttlMs: number }
  | { step: 'ended'; json: string };

/**
 * Begins a load and replies with its fencing token. With a lock, it does not begin if there is an
 * entry newer than token `seen`. Nor does it begin if another load holds the lock, unless an
 * invalidation has outdated that load. A waiter of the load with token `awaited` also accepts the
 * outcome of that load, or of a later one.
 */
const beginLoad = defineScript({
  NUMBER_OF_KEYS: 6,
  SCRIPT: `
    ${READ}
    local lockMs, awaited = tonumber(ARGV[2]), tonumber(ARGV[4])
    local watermark = tokenAt(KEYS[4])
    if lockMs > 0 then
      if tokenOf(KEYS[1]) > tonumber(ARGV[1]) then
        return {'found', text(KEYS[1]), redis.call('PTTL', KEYS[1])}
      end
      if awaited > 0 and tokenOf(KEYS[5]) >= awaited then return {'ended', text(KEYS[5])} end
      local holder, heldMs = tokenAt(KEYS[2]), redis.call('PTTL', KEYS[2])
      local isCurrent = holder > watermark or awaited > 0 and holder >= awaited
      if isCurrent and heldMs > 0 and heldMs <= lockMs then
        redis.call('SET', KEYS[6], '', 'PX', ${AWAITED_MS})
        return {'wait', heldMs, holder}
      end
    end
    local token = math.max(tokenAt(KEYS[3]), watermark, tokenOf(KEYS[1]), tokenOf(KEYS[5])) + 1
    redis.call('SET', KEYS[3], token, 'PX', ARGV[3])
    if lockMs > 0 then redis.call('SET', KEYS[2], token, 'PX', lockMs) end
    return {'load', token}`,
  parseCommand(
    parser: CommandParser,
    name: string,
    options: { seen: number; awaited: number; lockMs: number; keepMs: number },
  ) {
    const { seen, awaited, lockMs, keepMs } = options;
    parser.pushKeys([entryKey(name), lockKey(name), tokenKey(name), watermarkKey(name)]);
    parser.pushKeys([outcomeKey(name), awaitedKey(name)]);
    parser.push(String(seen), String(lockMs), String(keepMs), String(awaited));
  },
  transformReply: (reply: unknown): Begun => {
    const [step, what, number] = reply as [Begun['step'], unknown, number];
    if (step === 'load') return { step, token: what as number };
    if (step === 'wait') return { step, ms: what as number, token: number };
    if (step === 'ended') return { step, json: what as string };
    return { step, json: what as string, ttlMs: number };
  },
});

/**
 * Extends the lock of a load that takes longer, if the load still holds it. Replies whether another
 * instance waits for it.
 */
const renewLock = defineScript({
  NUMBER_OF_KEYS: 2,
  SCRIPT: `
    if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
    return redis.call('EXISTS', KEYS[2])`,
  parseCommand(parser: CommandParser, name: string, token: number, lockMs: number) {
    parser.pushKeys([lockKey(name), awaitedKey(name)]);
    parser.push(String(token), String(lockMs));
  },
  transformReply: (reply: unknown) => reply === 1,
});

/**
 * Ends a load and releases its lock, if it still holds it. Fencing: the entry is not stored if the
 * name was invalidated since the load began, or if a later load has stored one. It is kept for the
 * waiters of this load, as is the outcome of a load that failed.
 * @see https://martin.kleppmann.com/2016/02/08/how-to-do-distributed-locking.html
 */
const endLoad = defineScript({
  NUMBER_OF_KEYS: 4,
  SCRIPT: `
    ${READ}
    local token = tonumber(ARGV[1])
    if text(KEYS[2]) == ARGV[1] then redis.call('DEL', KEYS[2]) end
    if ARGV[2] == '' then return end
    if ARGV[3] ~= '0' and tokenAt(KEYS[3]) < token and tokenOf(KEYS[1]) < token then
      redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
    elseif tokenOf(KEYS[4]) < token then
      redis.call('SET', KEYS[4], ARGV[2], 'PX', ${OUTCOME_MS})
    end`,
  parseCommand(parser: CommandParser, name: string, token: number, json = '', ttlMs = 0) {
    parser.pushKeys([entryKey(name), lockKey(name), watermarkKey(name), outcomeKey(name)]);
    parser.push(String(token), json, String(ttlMs));
  },
  transformReply: () => {},
});

/**
 * Deletes an entry, and raises the watermark so that loads in progress store nothing. Such a load
 * keeps its lock for its waiters; later lookups begin a load of their own.
 */
const invalidate = defineScript({
  NUMBER_OF_KEYS: 3,
  SCRIPT: `
    ${READ}
    local watermark = math.max(tokenAt(KEYS[2]), tokenAt(KEYS[3]), tokenOf(KEYS[1]))
    redis.call('DEL', KEYS[1])
    redis.call('SET', KEYS[3], watermark, 'PX', ARGV[1])`,
  parseCommand(parser: CommandParser, name: string, keepMs: number) {
    parser.pushKeys([entryKey(name), tokenKey(name), watermarkKey(name)]);
    parser.push(String(keepMs));
  },
  transformReply: () => {},
});

/** The scripts to pass to `createClient`. */
export const cacheScripts = { beginLoad, confirm, endLoad, invalidate, readEntry, renewLock };

/** A Redis client that knows these scripts. */
export type CacheRedis = RedisClientType<
  Record<never, never>,
  Record<never, never>,
  typeof cacheScripts
>;
