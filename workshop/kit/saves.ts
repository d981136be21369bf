import { watchFile } from 'node:fs';

/** Milliseconds between two looks at the file. */
const POLL_MS = 200;

/** The moments at which a file was saved, also by an editor that replaces the file. */
export class Saves {
  #isSaved = false;
  #onSave: (() => void) | undefined;

  constructor(file: string) {
    watchFile(file, { interval: POLL_MS }, () => {
      this.#isSaved = true;
      this.#onSave?.();
    });
  }

  /** Resolves at the next save; at once if there was one since the last call. */
  async next(): Promise<void> {
    if (!this.#isSaved) {
      await new Promise<void>((resolve) => {
        this.#onSave = resolve;
      });
    }
    this.#isSaved = false;
  }
}
