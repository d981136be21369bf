import { hash } from 'node:crypto';
import type { Participant } from './protocol.ts';

/** Identifies a session without revealing its id. */
export function participantId(sessionId: string): string {
  return hash('sha256', sessionId).slice(0, 8);
}

/** The audience as the last poll found it, and what has changed since it was last sent. */
export class Audience {
  #byId = new Map<string, Participant>();
  #changed = new Set<string>();

  /** @param stored the fields and values of the hash in Redis, in turn; malformed ones are skipped */
  update(stored: string[]): void {
    const before = this.#byId;
    this.#byId = new Map();
    for (let i = 0; i + 1 < stored.length; i += 2) {
      const [id = '', value = ''] = stored.slice(i, i + 2);
      const fields = /^(\d{1,4}) (\d{1,15}) (\S*) (.*)$/s.exec(value);
      if (!fields) continue;
      const [, number, views, instance = '', name = ''] = fields;
      const participant: Participant = [id, instance, Number(views), name, Number(number)];
      this.#byId.set(id, participant);
      if (String(participant) !== String(before.get(id))) this.#changed.add(id);
    }
    for (const id of before.keys()) if (!this.#byId.has(id)) this.#changed.add(id);
  }

  get(id: string): Participant | undefined {
    return this.#byId.get(id);
  }

  all(): Participant[] {
    return [...this.#byId.values()];
  }

  totals(): { participants: number; views: number } {
    const views = this.#byId.values().reduce((sum, [, , count]) => sum + count, 0);
    return { participants: this.#byId.size, views };
  }

  takeChanges(): { moved: Participant[]; left: string[] } {
    const changed = [...this.#changed];
    this.#changed.clear();
    return {
      moved: changed.map((id) => this.#byId.get(id)).filter((one) => one !== undefined),
      left: changed.filter((id) => !this.#byId.has(id)),
    };
  }
}
