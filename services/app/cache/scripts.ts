import { type CommandParser, defineScript } from 'redis';

// The keys of one name. They all begin with `cache:`, by which Redis tells them from sessions.
/** What is cached of it. */
export const entryKey = (name: string) => `cache:${name}`;
/** Who loads it now: the number of the load. */
const lockKey = (name: string) => `cache:lock:${name}`;
/** The number of the last load that began. */
const loadsKey = (name: string) => `cache:loads:${name}`;
/** The number up to which loads began before the name was forgotten: they may store nothing. */
const floorKey = (name: string) => `cache:floor:${name}`;

/** The name that a key belongs to, and what the key is for; `undefined` for a key of others. */
export function nameOf(
  key: string,
): { name: string; kind: 'entry' | 'lock' | 'floor' } | undefined {
  const [, kind = 'entry:', name] = /^cache:(lock:|loads:|floor:)?(.+)$/.exec(key) ?? [];
  if (name === undefined || kind === 'loads:') return undefined;
  return { name, kind: kind.slice(0, -1) as 'entry' | 'lock' | 'floor' };
}

/** Lua: reads keys, also where something else than expected is in them. */
const READ = `
  local function text(key)
    local value = redis.pcall('GET', key)
    return type(value) == 'string' and value or nil
  end
  local function number(key) return tonumber(text(key) or '') or 0 end
  local function loadOf(key)
    local isJson, entry = pcall(cjson.decode, text(key) or '')
    return isJson and type(entry) == 'table' and tonumber(entry.load) or 0
  end`;

/** Replies with the entry as JSON, or nil, and for how many milliseconds Redis will have it. */
const readEntry = defineScript({
  NUMBER_OF_KEYS: 2,
  // Redis tells a client that tracks when what its scripts have read changes. So the floor is read
  // too: that changes where there is no entry to change.
  SCRIPT: `
    ${READ}
    redis.pcall('GET', KEYS[2])
    return {text(KEYS[1]) or false, redis.call('PTTL', KEYS[1])}`,
  parseCommand(parser: CommandParser, name: string) {
    parser.pushKeys([entryKey(name), floorKey(name)]);
  },
  transformReply: (reply: unknown) => {
    const [json, remainingMs] = reply as [string | null, number];
    return { json, remainingMs };
  },
});

/** What a load meets when it wants to begin. */
export type Begun =
  | { step: 'load'; load: number }
  | { step: 'found'; json: string; remainingMs: number }
  | { step: 'wait'; ms: number };

/**
 * Begins a load. With a lock it does not begin where a newer entry than load `seen` is there by now,
 * or where another load holds the lock.
 */
const beginLoad = defineScript({
  NUMBER_OF_KEYS: 4,
  SCRIPT: `
    ${READ}
    local lockMs = tonumber(ARGV[2])
    if lockMs > 0 then
      if loadOf(KEYS[1]) > tonumber(ARGV[1]) then
        return {'found', text(KEYS[1]), redis.call('PTTL', KEYS[1])}
      end
      local heldMs = redis.call('PTTL', KEYS[2])
      if heldMs > 0 then return {'wait', heldMs} end
    end
    local load = math.max(number(KEYS[3]), number(KEYS[4]), loadOf(KEYS[1])) + 1
    redis.call('SET', KEYS[3], load, 'PX', ARGV[3])
    if lockMs > 0 then redis.call('SET', KEYS[2], load, 'PX', lockMs) end
    return {'load', load}`,
  parseCommand(parser: CommandParser, name: string, seen: number, lockMs: number, keepMs: number) {
    parser.pushKeys([entryKey(name), lockKey(name), loadsKey(name), floorKey(name)]);
    parser.push(String(seen), String(lockMs), String(keepMs));
  },
  transformReply: (reply: unknown): Begun => {
    const [step, what, remainingMs] = reply as [Begun['step'], unknown, number];
    if (step === 'load') return { step, load: what as number };
    if (step === 'wait') return { step, ms: what as number };
    return { step, json: what as string, remainingMs };
  },
});

/** Keeps the lock of a load that takes longer. */
const renewLock = defineScript({
  NUMBER_OF_KEYS: 1,
  SCRIPT: `
    if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end`,
  parseCommand(parser: CommandParser, name: string, load: number, lockMs: number) {
    parser.pushKey(lockKey(name));
    parser.push(String(load), String(lockMs));
  },
  transformReply: () => {},
});

/**
 * Ends a load: lets go of the lock where the load still holds it, and stores its entry where the
 * name was not forgotten since it began and no later load has stored one. So the number of a load
 * is its fencing token.
 * @see https://martin.kleppmann.com/2016/02/08/how-to-do-distributed-locking.html
 */
const endLoad = defineScript({
  NUMBER_OF_KEYS: 3,
  SCRIPT: `
    ${READ}
    local load = tonumber(ARGV[1])
    if text(KEYS[2]) == ARGV[1] then redis.call('DEL', KEYS[2]) end
    if ARGV[2] == '' or number(KEYS[3]) >= load or loadOf(KEYS[1]) >= load then return end
    redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])`,
  parseCommand(parser: CommandParser, name: string, load: number, json = '', forMs = 0) {
    parser.pushKeys([entryKey(name), lockKey(name), floorKey(name)]);
    parser.push(String(load), json, String(forMs));
  },
  transformReply: () => {},
});

/** Forgets an entry, and what the loads under way would store. */
const forget = defineScript({
  NUMBER_OF_KEYS: 4,
  SCRIPT: `
    ${READ}
    local floor = math.max(number(KEYS[3]), number(KEYS[4]), loadOf(KEYS[1]))
    redis.call('DEL', KEYS[1], KEYS[2])
    redis.call('SET', KEYS[4], floor, 'PX', ARGV[1])`,
  parseCommand(parser: CommandParser, name: string, keepMs: number) {
    parser.pushKeys([entryKey(name), lockKey(name), loadsKey(name), floorKey(name)]);
    parser.push(String(keepMs));
  },
  transformReply: () => {},
});

/** The scripts that the cache's client of Redis has to know. */
export const cacheScripts = { beginLoad, endLoad, forget, readEntry, renewLock };
