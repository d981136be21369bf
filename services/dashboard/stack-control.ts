import { once } from 'node:events';
import { request } from 'node:http';
import { json } from 'node:stream/consumers';
import type { ControlView } from './protocol.ts';

/** Sends commands to the control server of a local stack, as `npm run stack` does. */
export class StackControl {
  #socketPath: string;
  #inProgress = 0;
  #failure: string | null = null;

  /** @param socketPath the Unix socket of the control server */
  constructor(socketPath: string) {
    this.#socketPath = socketPath;
  }

  view(): ControlView {
    return { busy: this.#inProgress > 0, failure: this.#failure };
  }

  /** Runs a command, which takes seconds. Never rejects: `view()` tells how it ended. */
  async run(...words: string[]): Promise<void> {
    this.#inProgress += 1;
    try {
      const { text, exitCode } = await this.#send(words);
      this.#failure = exitCode === 0 ? null : text;
    } catch (err) {
      this.#failure = `The stack has not answered: ${(err as Error).message}`;
    }
    this.#inProgress -= 1;
  }

  async #send(words: string[]): Promise<{ text: string; exitCode: number }> {
    const req = request({ socketPath: this.#socketPath, method: 'POST', agent: false });
    req.end(JSON.stringify({ words }));
    const [res] = await once(req, 'response');
    return (await json(res)) as { text: string; exitCode: number };
  }
}
