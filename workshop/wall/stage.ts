import type { Overview } from '../../services/dashboard/protocol.ts';
import type { Deployment } from '../kit/environment.ts';

/** Milliseconds between two looks at a deployment. */
const POLL_MS = 1000;
/** A dashboard that does not answer within this time, such as one without Redis, is asked again later. */
const TIMEOUT_MS = 800;
/** What the pages of the stack request, as opposed to the lesson. */
const OF_PAGE = /^\S+ "\S+ \/dashboard/;

/** The requests that one instance answered, as nginx logged them. */
export interface InstanceRequests {
  /** Its address, if the name is not known. */
  name: string;
  answered: number;
  /** Those answered with a status of 500 or above, by this instance or by nginx after it. */
  failed: number;
}

/** One way of a lesson: its current deployment, and what nginx logged there. */
export class Stage {
  #onChange: () => void;
  #deployment: Deployment | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** The names of instances by address; instances that have ended keep theirs. */
  #names = new Map<string, string>();
  requests: InstanceRequests[] = [];

  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  /** The port of nginx, while a deployment is running. */
  get port(): number | null {
    return this.#deployment ? Number(new URL(this.#deployment.url).port) : null;
  }

  /** Whether the dashboard knows the instances, as those of services/app. */
  hasHeartbeats = false;

  /** @param deployment none while the next one starts */
  show(deployment: Deployment | undefined): void {
    this.close();
    this.#deployment = deployment;
    this.#names.clear();
    this.hasHeartbeats = false;
    this.requests = [];
    if (deployment) this.#timer = setInterval(() => void this.#poll(deployment), POLL_MS);
    this.#onChange();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #poll(deployment: Deployment): Promise<void> {
    try {
      const log = await deployment.accessLog();
      if (this.#deployment !== deployment) return;
      this.#learn(deployment.instanceNames());
      this.requests = this.#count(log);
      this.#onChange();
      const signal = AbortSignal.timeout(TIMEOUT_MS);
      const reply = await fetch(`${deployment.url}/dashboard/instances`, { signal });
      const { instances } = (await reply.json()) as Overview;
      this.hasHeartbeats = instances.length > 0;
      this.#learn(instances.map(({ address, name }) => [address, name]));
    } catch {
      // The deployment has ended, or its dashboard does not answer now.
    }
  }

  #learn(names: [address: string, name: string][]): void {
    for (const [address, name] of names) this.#names.set(address, name);
  }

  #count(log: string): InstanceRequests[] {
    const found = new Map<string, InstanceRequests>();
    for (const line of log.split('\n')) {
      // The last address is that of the instance that answered, or that nginx tried last.
      const [, status = '', tried = ''] = /" (\d{3}) [\d.]+ (.*)$/.exec(line) ?? [];
      const address = tried.match(/[^\s,]+:\d+/g)?.at(-1);
      if (address === undefined || OF_PAGE.test(line)) continue;
      const name = this.#names.get(address) ?? address;
      const counts = found.get(name) ?? { name, answered: 0, failed: 0 };
      if (Number(status) >= 500) counts.failed += 1;
      else counts.answered += 1;
      found.set(name, counts);
    }
    return [...found.values()].sort((a, b) =>
      a.name.localeCompare(b.name, 'en', { numeric: true }),
    );
  }
}
