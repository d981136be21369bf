import { type CommandParser, defineScript, type RedisClientType } from 'redis';
import { heartbeatKey, INSTANCES_KEY } from '../app/heartbeat/record.ts';
import type { Participant } from './protocol.ts';

/** A hash: participant id to `number views instance name`, written here and read in audience.ts. */
const AUDIENCE_KEY = '{dashboard}:audience';
/** A hash: participant id to its number. A phone that was locked gets its number again. */
const NUMBERS_KEY = '{dashboard}:numbers';
const MAX_NUMBERS = 9999;
/** A sorted set: participant id to the end of its lease, in milliseconds by the clock of Redis. */
const LEASES_KEY = '{dashboard}:leases';
const MAX_PARTICIPANTS = 1000;
/** Longer than a browser takes to reconnect; a lease is renewed with each poll. */
const LEASE_MS = 1500;
/** A longer gap between two polls means that Redis, or the dashboard, stood still. */
const MAX_GAP_MS = 1000;
/** After such a gap, heartbeats and leases have this time to come back. */
const GRACE_MS = 2500;
/** After this, Redis deletes an audience that no dashboard polls. */
const AUDIENCE_TTL_MS = 60_000;

/** Where services/app caches `GET /data`. */
const DATA_KEY = 'cache:{data}';
/** Bounds the time that one count takes in Redis: 2 ms for 5000 keys. */
const SCANS_PER_COUNT = 5;
const KEYS_PER_SCAN = 1000;

/** What a poll passes on to the next one: its time, and the end of the grace period, by Redis. */
export const FIRST_POLL = ['0', '0'];

/** What one reading of the figures passes on to the next one: a cursor, and the sessions so far. */
export const FIRST_FIGURES = ['0', '0'];

/**
 * Reads all that a dashboard shows from Redis, and renews the leases of its participants.
 * Values of the wrong type are skipped. `isSettled` tells whether a missing heartbeat or lease means
 * that its owner is gone. Redis decides that, as the script may run long after it was sent.
 */
const poll = defineScript({
  NUMBER_OF_KEYS: 4,
  SCRIPT: `
    local function isError(reply) return type(reply) == 'table' and reply.err end
    for key, kind in pairs({ [KEYS[2]] = 'hash', [KEYS[3]] = 'zset', [KEYS[4]] = 'hash' }) do
      local found = redis.call('TYPE', key).ok
      if found ~= kind and found ~= 'none' then redis.call('DEL', key) end
    end
    local names, records = redis.pcall('SMEMBERS', KEYS[1]), {}
    for _, name in ipairs(isError(names) and {} or names) do
      local key = '${heartbeatKey('')}' .. name
      local record = redis.pcall('GET', key)
      if type(record) == 'string' and redis.call('PTTL', key) > 0 then
        table.insert(records, record)
      else
        redis.call('SREM', KEYS[1], name) -- an instance adds its name with each heartbeat
      end
    end

    local time = redis.call('TIME')
    local now = time[1] * 1000 + math.floor(time[2] / 1000)
    local polledAt, graceUntil = tonumber(ARGV[1]), tonumber(ARGV[2])
    if polledAt > 0 and now - polledAt > ${MAX_GAP_MS} then graceUntil = now + ${GRACE_MS} end
    local isSettled = now >= graceUntil
    -- pcall: a Redis that is out of memory can still be read
    local function numberOf(id)
      local count = redis.call('HLEN', KEYS[4])
      if count >= ${MAX_NUMBERS} then count = 0; redis.call('DEL', KEYS[4]) end
      redis.pcall('HSETNX', KEYS[4], id, count + 1)
      return redis.call('HGET', KEYS[4], id) or '0'
    end
    for i = 3, #ARGV, 2 do
      local id, isThere = ARGV[i], redis.call('HEXISTS', KEYS[2], ARGV[i]) == 1
      if isThere or redis.call('HLEN', KEYS[2]) < ${MAX_PARTICIPANTS} then
        if not isThere then redis.pcall('HSET', KEYS[2], id, numberOf(id) .. ' ' .. ARGV[i + 1]) end
        redis.pcall('ZADD', KEYS[3], now + ${LEASE_MS}, id)
      end
    end
    if isSettled then
      for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', now)) do
        redis.call('HDEL', KEYS[2], id)
        redis.call('ZREM', KEYS[3], id)
      end
    end
    for i = 2, 4 do redis.call('PEXPIRE', KEYS[i], ${AUDIENCE_TTL_MS}) end

    local state = {string.format('%.0f', now), string.format('%.0f', graceUntil)}
    return {state, isSettled and 1 or 0, records, redis.call('HGETALL', KEYS[2])}`,
  parseCommand(parser: CommandParser, state: string[], participants: Participant[]) {
    parser.pushKeys([INSTANCES_KEY, AUDIENCE_KEY, LEASES_KEY, NUMBERS_KEY]);
    parser.push(...state);
    for (const [id, instance, views, name] of participants) {
      parser.push(id, `${views} ${instance} ${name}`);
    }
  },
  transformReply: (reply: unknown) => {
    const [state, isSettled, records, audience] = reply as [string[], number, string[], string[]];
    return { state, isSettled: isSettled === 1, records, audience };
  },
});

/** Replies with the figures of one Redis. Each shard of a Cluster has its own. */
const figures = defineScript({
  NUMBER_OF_KEYS: 0,
  SCRIPT: `
    local cursor, count = ARGV[1], tonumber(ARGV[2])
    for _ = 1, ${SCANS_PER_COUNT} do
      local found = redis.call('SCAN', cursor, 'MATCH', 'sess:*', 'COUNT', ${KEYS_PER_SCAN})
      cursor, count = found[1], count + #found[2]
      if cursor == '0' then break end
    end
    local isComplete = cursor == '0'
    local function info(section, field) -- an ACL may deny it
      local reply = redis.pcall('INFO', section)
      return type(reply) == 'string' and tonumber(string.match(reply, field .. ':(%d+)'))
    end
    return {{cursor, string.format('%.0f', isComplete and 0 or count)}, isComplete and count,
      info('stats', 'instantaneous_ops_per_sec'), info('memory', 'used_memory')}`,
  parseCommand(parser: CommandParser, state: string[]) {
    parser.push(...state);
  },
  transformReply: (reply: unknown) => {
    const [state, sessions, operationsPerSecond, memoryBytes] = reply as [
      state: string[],
      sessions: number | null,
      operationsPerSecond: number | null,
      memoryBytes: number | null,
    ];
    /** `sessions` is `null` while the count is incomplete. */
    return { state, sessions, operationsPerSecond, memoryBytes };
  },
});

/** Replies with the seconds since the origin was asked for `/data`; `null` if it is not cached. */
const dataAge = defineScript({
  NUMBER_OF_KEYS: 1,
  SCRIPT: `
    local data = redis.pcall('GET', KEYS[1])
    local madeAt = type(data) == 'string' and tonumber(string.match(data, '"madeAt":(%d+)'))
    return madeAt and math.max(0, math.floor(redis.call('TIME')[1] - madeAt / 1000))`,
  parseCommand(parser: CommandParser) {
    parser.pushKey(DATA_KEY);
  },
  transformReply: (reply: unknown) => reply as number | null,
});

/** Moves a participant to the instance that served it last. Its views never decrease. */
const moveParticipant = defineScript({
  NUMBER_OF_KEYS: 1,
  SCRIPT: `
    local before = redis.pcall('HGET', KEYS[1], ARGV[1])
    if type(before) ~= 'string' then return end
    local number, views = string.match(before, '^(%d+) (%d+)')
    if tonumber(ARGV[2]) > tonumber(views or 0) then views = ARGV[2] end
    redis.call('HSET', KEYS[1], ARGV[1], (number or 0) .. ' ' .. views .. ' ' .. ARGV[3])`,
  parseCommand(parser: CommandParser, [id, instance, views, name]: Participant) {
    parser.pushKey(AUDIENCE_KEY);
    parser.push(id, String(views), `${instance} ${name}`);
  },
  transformReply: () => {},
});

export const dashboardScripts = { dataAge, figures, moveParticipant, poll };

type Client = RedisClientType<Record<never, never>, Record<never, never>, typeof dashboardScripts>;

/** A client with these scripts. */
export type DashboardRedis = Client & {
  /** The clients of all shards, if there are several. */
  nodes?(): Client[];
};
