import { type CommandParser, defineScript } from 'redis';
import type { createRedis } from '../shared/process/redis.ts';
import type { Beat } from './messages.ts';

/** Where instances tell each other how they are. */
export const CHANNEL = 'board';
/** The key that is there while somebody watches. */
const WATCHED = 'board:watched';
/** Milliseconds for which that holds without being said again. */
const WATCHED_MS = 2000;

/** The key by which an instance holds its name: who it is. */
const instanceKey = (name: string) => `instance:${name}`;
/** What an instance is told to do. */
const commandKey = (name: string) => `chaos:${name}`;
/** How the origin is told to behave. */
const ORIGIN = 'chaos:origin';
/** Seconds after which the origin is itself again, whoever has forgotten to say so. */
const ORIGIN_SECONDS = 600;
/** Milliseconds for which a command waits for its instance. */
const COMMAND_MS = 2000;

/**
 * Claims the first of app-1, app-2 … that nobody holds, for `forMs` milliseconds. Replies with it.
 * An owner that was there before gets the name that it had.
 */
const claimName = defineScript({
  NUMBER_OF_KEYS: 0,
  SCRIPT: `
    local free
    for i = 1, 1000 do
      local owner = redis.call('GET', 'instance:app-' .. i)
      if owner == ARGV[1] then free = i break end
      if not owner and not free then free = i end
    end
    redis.call('SET', 'instance:app-' .. free, ARGV[1], 'PX', ARGV[2])
    return 'app-' .. free`,
  parseCommand(parser: CommandParser, owner: string, forMs: number) {
    parser.push(owner, String(forMs));
  },
  transformReply: (reply: unknown) => reply as string,
});

/** What an instance is told when it says how it is. */
export interface BeatReply {
  /** Whether anybody watches. */
  isWatched: boolean;
  command: string | null;
  /** JSON. */
  origin: string | null;
}

/**
 * An instance says how it is: it holds its name for `forMs` more milliseconds, and those who watch
 * are told. Replies nil where somebody else has the name by now.
 *
 * @param isGiven whether the name was given to it: then it is its own whoever had it before
 */
const beat = defineScript({
  NUMBER_OF_KEYS: 4,
  SCRIPT: `
    local owner = redis.call('GET', KEYS[1])
    if owner and owner ~= ARGV[1] and ARGV[3] == '0' then return nil end
    redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
    if ARGV[4] ~= '0' then redis.call('SET', KEYS[2], '1', 'PX', ARGV[4]) end
    local watched = redis.call('EXISTS', KEYS[2])
    if watched == 1 and ARGV[5] ~= '' then redis.call('PUBLISH', '${CHANNEL}', ARGV[5]) end
    return {watched, redis.call('GETDEL', KEYS[3]), redis.call('GET', KEYS[4])}`,
  parseCommand(
    parser: CommandParser,
    name: string,
    owner: string,
    forMs: number,
    { isGiven, watches, said }: { isGiven: boolean; watches: boolean; said: Beat | undefined },
  ) {
    parser.pushKeys([instanceKey(name), WATCHED, commandKey(name), ORIGIN]);
    const watchMs = watches ? WATCHED_MS : 0;
    parser.push(
      owner,
      String(forMs),
      isGiven ? '1' : '0',
      String(watchMs),
      said ? JSON.stringify(said) : '',
    );
  },
  transformReply: (reply: unknown): BeatReply | null => {
    if (reply === null) return null;
    const [watched, command, origin] = reply as [number, string | null, string | null];
    return { isWatched: watched === 1, command, origin };
  },
});

/** Lets go of a name. */
const releaseName = defineScript({
  NUMBER_OF_KEYS: 1,
  SCRIPT: `if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end`,
  parseCommand(parser: CommandParser, name: string, owner: string) {
    parser.pushKey(instanceKey(name));
    parser.push(owner);
  },
  transformReply: () => {},
});

/** Tells an instance to do something. Replies whether there is such an instance. */
const command = defineScript({
  NUMBER_OF_KEYS: 2,
  SCRIPT: `
    if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
    redis.call('SET', KEYS[2], ARGV[1], 'PX', ${COMMAND_MS})
    return 1`,
  parseCommand(parser: CommandParser, name: string, what: string) {
    parser.pushKeys([instanceKey(name), commandKey(name)]);
    parser.push(what);
  },
  transformReply: (reply: unknown) => reply === 1,
});

/** Tells the origin, on all instances, how to behave; `null` for as it is configured. */
const setOrigin = defineScript({
  NUMBER_OF_KEYS: 1,
  SCRIPT: `
    if ARGV[1] == '' then return redis.call('DEL', KEYS[1]) end
    return redis.call('SET', KEYS[1], ARGV[1], 'EX', ${ORIGIN_SECONDS})`,
  parseCommand(parser: CommandParser, json: string | null) {
    parser.pushKey(ORIGIN);
    parser.push(json ?? '');
  },
  transformReply: () => {},
});

/** How many keys are looked through with each survey: two milliseconds for Redis. */
const SCANS = 5;
const KEYS_PER_SCAN = 1000;

/**
 * What Redis says of itself, the entry of `/data`, and how many sessions are among the next few keys.
 * Replies also with the cursor to go on from; `0` where all keys were looked through.
 * @see https://redis.io/docs/latest/commands/scan/
 */
const survey = defineScript({
  NUMBER_OF_KEYS: 1,
  SCRIPT: `
    local sessions, cursor = 0, ARGV[1]
    for _ = 1, ${SCANS} do
      local found = redis.call('SCAN', cursor, 'MATCH', 'sess:*', 'COUNT', ${KEYS_PER_SCAN})
      cursor, sessions = found[1], sessions + #found[2]
      if cursor == '0' then break end
    end
    local entry = redis.pcall('GET', KEYS[1])
    return {redis.call('INFO', 'stats'), redis.call('INFO', 'memory'), cursor, sessions,
      type(entry) == 'string' and entry or false}`,
  parseCommand(parser: CommandParser, entry: string, cursor: string) {
    parser.pushKey(entry);
    parser.push(cursor);
  },
  transformReply: (reply: unknown) => {
    const [stats, memory, cursor, sessions, entry] = reply as [
      string,
      string,
      string,
      number,
      string | null,
    ];
    const numberIn = (text: string, field: string) =>
      Number(new RegExp(`^${field}:(\\d+)`, 'm').exec(text)?.[1] ?? 0);
    return {
      operationsPerSecond: numberIn(stats, 'instantaneous_ops_per_sec'),
      memoryBytes: numberIn(memory, 'used_memory'),
      cursor,
      sessions,
      entry,
    };
  },
});

/** The scripts that the board's client of Redis has to know. */
export const boardScripts = { beat, claimName, command, releaseName, setOrigin, survey };

/** The Redis client of the board. */
export type BoardRedis = ReturnType<typeof createRedis<typeof boardScripts>>;
