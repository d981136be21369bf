// What an instance and the dashboards tell each other through Redis. This file is the whole contract.
// The braces keep these keys in one slot of a Redis Cluster.

/** `joining`: in its first seconds, when nginx may not know it yet. */
export type InstanceState = 'joining' | 'ready' | 'draining';

/** What an instance stores under its heartbeat key. The key expires when the heartbeat stops. */
export interface HeartbeatRecord {
  name: string;
  /** Identifies the process: a restarted instance keeps its name but has another owner. */
  owner: string;
  /** Host and port at which the instance serves `/metrics`. */
  address: string;
  state: InstanceState;
}

/** The set of the names of all instances. A name without a heartbeat key is dead. */
export const INSTANCES_KEY = '{dashboard}:instances';

/** The key of a {@link HeartbeatRecord}, as JSON. Who holds it holds the name. */
export function heartbeatKey(name: string): string {
  return `{dashboard}:heartbeat:${name}`;
}

/** Milliseconds between two heartbeats, and after which a heartbeat key expires. */
export const HEARTBEAT_MS = 300;
export const HEARTBEAT_TTL_MS = 2000;

/** What an instance can be told to do to itself. */
export type FaultCommand = 'kill' | 'hang';

/** The key of a {@link FaultCommand} for an instance, which takes it with its next heartbeat. */
export function faultKey(name: string): string {
  return `{dashboard}:fault:${name}`;
}

/** Milliseconds for which a command waits for its instance. */
export const FAULT_TTL_MS = 2000;

/** The key that tells the origin of all instances how to behave: {@link OriginBehavior} as JSON. */
export const ORIGIN_FAULT_KEY = '{dashboard}:origin-fault';

/** Seconds after which the origin returns to its configured behavior. */
export const ORIGIN_FAULT_TTL_SECONDS = 600;

/** How slow the origin is, and how often it fails. */
export interface OriginBehavior {
  /** Milliseconds for each answer. */
  delayMs: number;
  /** How many of 100 calls fail. */
  failurePercent: number;
}
