/** How a deployment differs from `npm start`. */
export interface DeploymentOptions {
  /** Environment variables of all instances. */
  env?: Record<string, string>;
  /** The number of instances; 3 by default. */
  scale?: number;
  /** How Redis runs; one process by default. */
  redis?: 'sentinel';
  /** The program of the instances, relative to the project; services/app/main.ts by default. */
  program?: string;
  nginx?: NginxChange;
}

/** Changes to the configuration of nginx. */
export interface NginxChange {
  /** Changes nginx/nginx.conf. */
  conf?: (text: string) => string;
  /** Changes the list of instances, `upstream app { ... }`. */
  upstream?: (text: string) => string;
}

export type Action = 'kill' | 'stop' | 'start' | 'pause' | 'resume';

/** A running stack: local processes or containers. */
export interface Deployment {
  /** The address of nginx. */
  readonly url: string;
  /** The address, and the command that shows the state of the stack. */
  readonly location: string;
  start(): Promise<void>;
  /**
   * Does to an instance or to `redis` what `npm run stack -- ACTION NAME` does. With Sentinels,
   * `redis` is the first primary.
   */
  control(action: Action, name: string): Promise<void>;
  /** Sets the number of instances; with `updateNginx: false`, nginx keeps its old list. */
  scale(count: number, options?: { updateNginx?: boolean }): Promise<void>;
  /** Replaces all instances and adds these variables, if possible one instance at a time. */
  replaceInstances(env: Record<string, string>): Promise<void>;
  /**
   * Limits the CPU of each instance.
   *
   * @param share of one core: 0.1 is 10 %
   * @returns a function that removes the limit; `undefined` if this system has no limits
   */
  limitCpu(share: number): Promise<(() => Promise<void>) | undefined>;
  /** Sends one command to `redis`. Resolves to the reply as text, with one list element per line. */
  redis(...command: string[]): Promise<string>;
  /** The names of the instances, by their addresses in the access log. Empty if they are not known. */
  instanceNames(): [address: string, name: string][];
  /** The access log of nginx, which nginx writes once a second. */
  accessLog(): Promise<string>;
  close(): Promise<void>;
}

/** Runs one deployment at a time. */
export class Environment {
  #create: (options: DeploymentOptions) => Deployment;
  #onChange: (deployment: Deployment | undefined) => void;
  #deployment: Deployment | undefined;

  /** @param onChange gets each deployment that has started; `undefined` before it ends */
  constructor(
    create: (options: DeploymentOptions) => Deployment,
    onChange: (deployment: Deployment | undefined) => void = () => {},
  ) {
    this.#create = create;
    this.#onChange = onChange;
  }

  /** Ends the previous deployment and starts one with an empty Redis. */
  async start(options: DeploymentOptions = {}): Promise<Deployment> {
    await this.close();
    this.#deployment = this.#create(options);
    await this.#deployment.start();
    this.#onChange(this.#deployment);
    return this.#deployment;
  }

  /** The location of the current deployment, if one has started. */
  get location(): string | undefined {
    return this.#deployment?.url && this.#deployment.location;
  }

  /** The address of the current deployment, if one has started. */
  get url(): string | undefined {
    return this.#deployment?.url;
  }

  async close(): Promise<void> {
    this.#onChange(undefined);
    await this.#deployment?.close();
    this.#deployment = undefined;
  }
}

/** Lets a lesson await work later. Without it, a failure in between would be reported twice. */
export function inBackground<T>(work: Promise<T>): Promise<T> {
  work.catch(() => {});
  return work;
}

/** Replaces all occurrences of a text. Throws if there is none. */
export function replaceText(text: string, before: string, after: string): string {
  if (!text.includes(before)) throw new Error(`there is no "${before}" to replace`);
  return text.replaceAll(before, after);
}

/**
 * Settings for a lesson that pauses Redis for a moment: the normal timeouts are too short for that on
 * a slow machine. Use them together with {@link longNginxTimeouts}.
 */
export const LONG_TIMEOUTS = { REDIS_TIMEOUT_MS: '9000', REQUEST_TIMEOUT_MS: '9000' };

/** Gives nginx its own default timeouts, so that a lesson shows the behavior of the instances. */
export function longNginxTimeouts(conf: string): string {
  const read = replaceText(conf, 'proxy_read_timeout 1800ms;', 'proxy_read_timeout 60s;');
  return replaceText(read, 'proxy_next_upstream_timeout 4s;', 'proxy_next_upstream_timeout 0;');
}

/** Gives nginx its own default retries: a POST that an instance may have begun is not retried. */
export function defaultRetries(conf: string): string {
  const changed = replaceText(conf, ' non_idempotent;', ';');
  return replaceText(changed, 'error_page 502 504 = @again;', '');
}
