/** How the stack of a lesson is to be; what is not said is as `npm start` has it. */
export interface Setup {
  /** Environment variables of all instances. */
  env?: Record<string, string>;
  /** How many instances; 3 if not said. */
  scale?: number;
  /** What an instance runs instead of services/app/main.ts, as seen from the folder of the project. */
  program?: string;
  nginx?: NginxChange;
}

/** Another nginx than this project's, made from its configuration. */
export interface NginxChange {
  /** Changes nginx/nginx.conf. */
  conf?: (text: string) => string;
  /** Changes the list of instances, `upstream app { ... }`. */
  upstream?: (text: string) => string;
}

/** What a lesson does to a part of the stack. */
export type Action = 'kill' | 'stop' | 'start' | 'pause' | 'resume';

/** A running stack, as local processes or as containers. */
export interface Site {
  /** Where nginx is reached. */
  readonly url: string;
  /** Does something to `redis`, or to the instance of that name, as `npm run stack` does. */
  act(action: Action, part: string): Promise<void>;
  /** Runs that many instances; nginx is told, unless `announced` is false. */
  scale(count: number, options?: { announced?: boolean }): Promise<void>;
  /** Replaces all instances, one after the other where that can be, by ones with these settings besides. */
  replaceInstances(env: Record<string, string>): Promise<void>;
  /**
   * Lets each instance use no more than a share of one core: 0.1 is 10 %. Resolves to what takes the
   * limit off, or to `undefined` where this system has none.
   */
  limitCpu(share: number): Promise<(() => Promise<void>) | undefined>;
  /** Sends one command to Redis. Resolves to the reply as text, an element of a list in each line. */
  redis(...command: string[]): Promise<string>;
  /** What nginx has logged of requests so far; it writes once a second. */
  accessLog(): Promise<string>;
}

/** Where a lesson takes place. */
export interface Lab {
  /** Starts a stack, with nothing in its Redis. The one before ends first. */
  start(setup?: Setup): Promise<Site>;
  /** Where the stack is, and how to control it from a second terminal; `undefined` where none is up. */
  readonly where: string | undefined;
  /** Ends the stack. */
  close(): Promise<void>;
}

/** Work that goes on beside the lesson and is awaited later. A lesson that fails before fails once. */
export function meanwhile<T>(work: Promise<T>): Promise<T> {
  work.catch(() => {});
  return work;
}

/** Changes a text, and makes sure that there was something to change. */
export function replaced(text: string, before: string, after: string): string {
  if (!text.includes(before)) throw new Error(`nothing to replace: there is no ${before}`);
  return text.replaceAll(before, after);
}

/**
 * Settings for a lesson in which Redis stands still for a moment, together with {@link patient}: that
 * may take longer on a slow machine than anybody waits otherwise.
 */
export const PATIENT = { REDIS_TIMEOUT_MS: '9000', REQUEST_TIMEOUT_MS: '9000' };

/** nginx as patient as it is by default, so that what is seen is what the instances do. */
export function patient(conf: string): string {
  const waits = replaced(conf, 'proxy_read_timeout 1800ms;', 'proxy_read_timeout 60s;');
  return replaced(waits, 'proxy_next_upstream_timeout 4s;', 'proxy_next_upstream_timeout 0;');
}
