import { type CommandParser, defineScript, type RedisClientType } from 'redis';
import {
  faultKey,
  HEARTBEAT_TTL_MS,
  type HeartbeatRecord,
  heartbeatKey,
  INSTANCES_KEY,
  ORIGIN_FAULT_KEY,
} from './record.ts';

/** Lua: the owner of a name; nil if it is free, or if no instance can have written its record. */
const OWNER_OF = `
  local function ownerOf(key)
    if redis.call('PTTL', key) < 0 then return nil end
    local json = redis.pcall('GET', key)
    local isJson, record = pcall(cjson.decode, type(json) == 'string' and json or '')
    return isJson and type(record) == 'table' and record.owner or nil
  end`;

/**
 * Claims the first free name of app-1, app-2 … and replies with it. A restarted owner gets its old
 * name again.
 */
const claimName = defineScript({
  NUMBER_OF_KEYS: 1,
  SCRIPT: `
    ${OWNER_OF}
    local free
    for i = 1, 1000 do
      local owner = ownerOf('${heartbeatKey('app-')}' .. i)
      if owner == ARGV[1] then free = i break end
      if not owner and not free then free = i end
    end
    local record = cjson.encode({ owner = ARGV[1] })
    redis.call('SET', '${heartbeatKey('app-')}' .. free, record, 'PX', ARGV[2])
    return 'app-' .. free`,
  parseCommand(parser: CommandParser, owner: string) {
    parser.pushKey(INSTANCES_KEY); // a cluster runs the script on the node with this key
    parser.push(owner, String(HEARTBEAT_TTL_MS));
  },
  transformReply: (reply: unknown) => reply as string,
});

/** The faults that an instance is to apply. */
export interface Faults {
  command: string | null;
  /** The behavior of the origin as JSON; `null` for the configured one. */
  origin: string | null;
}

/**
 * Stores the record of an instance. Replies nil if another instance has claimed the name.
 *
 * @param isConfigured if INSTANCE or the container gave the name, it is taken over from any other owner
 */
const heartbeat = defineScript({
  NUMBER_OF_KEYS: 4,
  SCRIPT: `
    ${OWNER_OF}
    local owner = ownerOf(KEYS[1])
    if owner and owner ~= ARGV[1] and ARGV[2] == '0' then return nil end
    redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
    if type(redis.pcall('SADD', KEYS[2], ARGV[5])) == 'table' then -- not a set
      redis.call('DEL', KEYS[2])
      redis.call('SADD', KEYS[2], ARGV[5])
    end
    local function text(reply) return type(reply) == 'string' and reply end
    return {text(redis.pcall('GETDEL', KEYS[3])), text(redis.pcall('GET', KEYS[4]))}`,
  parseCommand(parser: CommandParser, record: HeartbeatRecord, isConfigured: boolean) {
    const { name, owner } = record;
    parser.pushKeys([heartbeatKey(name), INSTANCES_KEY, faultKey(name), ORIGIN_FAULT_KEY]);
    parser.push(owner, isConfigured ? '1' : '0');
    parser.push(JSON.stringify(record), String(HEARTBEAT_TTL_MS), name);
  },
  transformReply: (reply: unknown): Faults | null => {
    if (reply === null) return null;
    const [command, origin] = reply as [string | null, string | null];
    return { command, origin };
  },
});

/** Releases a name, if `owner` still has it. */
const releaseName = defineScript({
  NUMBER_OF_KEYS: 1,
  SCRIPT: `
    ${OWNER_OF}
    if ownerOf(KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end`,
  parseCommand(parser: CommandParser, name: string, owner: string) {
    parser.pushKey(heartbeatKey(name));
    parser.push(owner);
  },
  transformReply: () => {},
});

/** The scripts to pass to `createClient`. */
export const heartbeatScripts = { claimName, heartbeat, releaseName };

/** A Redis client that knows these scripts. */
export type HeartbeatRedis = RedisClientType<
  Record<never, never>,
  Record<never, never>,
  typeof heartbeatScripts
>;
