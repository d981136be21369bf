// What the modules of k6 share in a VU's thread: the way to the runner, and the state of the VU.
import { type MessagePort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import type { Incoming, Outgoing } from './http.ts';

export type Tags = Record<string, string>;
export type Sample = [metric: string, value: number, tags: Tags];

/** A metric that a script declares. */
export interface Declaration {
  name: string;
  type: 'counter' | 'rate' | 'trend';
  contains: 'default' | 'time';
}

/** The iteration in progress, as `k6/execution` shows it. */
export interface Iteration {
  /** Milliseconds since 1970. */
  startTime: number;
  iterationInTest: number;
}

/** What a VU sends to the runner: requests, for whose replies it waits, or a line of the console. */
export interface Message {
  requests?: Outgoing[];
  line?: [level: string, text: string];
  samples: Sample[];
}

const { port, answered } = workerData as { port: MessagePort; answered: Int32Array };

export const vu = {
  group: '',
  inInit: true,
  options: {} as unknown,
  iteration: undefined as Iteration | undefined,
  declared: [] as Declaration[],
  samples: [] as Sample[],
};

export function tell(message: Omit<Message, 'samples'>): void {
  port.postMessage({ ...message, samples: vu.samples.splice(0) } satisfies Message);
}

/** Sends requests, and blocks the thread until all replies are there. */
export function exchange(requests: Outgoing[]): Incoming[] {
  if (vu.inInit) throw new Error('requests cannot be made in the init context');
  tell({ requests });
  Atomics.wait(answered, 0, 0);
  answered[0] = 0;
  return receiveMessageOnPort(port)?.message;
}

/** Keeps a value of a metric; it reaches the runner with the next message. */
export function record(metric: string, value: number, tags: object = {}): void {
  const own = Object.entries(tags).map(([key, text]) => [key, String(text)]);
  vu.samples.push([metric, value, { group: vu.group, ...Object.fromEntries(own) }]);
}
