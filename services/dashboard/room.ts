import type { Beat, Dot, Person } from './messages.ts';

/** The most people that are shown. */
const MAX_PEOPLE = 1000;

/** Everybody who has the page open, with the instance that served them last. */
export class Room {
  #dots = new Map<string, Dot>();
  /** Whose page an instance feeds. */
  #fedBy = new Map<string, Set<string>>();
  #changed = new Set<string>();

  get people(): number {
    return this.#dots.size;
  }

  /** The views of all of them together. */
  get views(): number {
    return this.#dots.values().reduce((sum, [, , views]) => sum + views, 0);
  }

  has(id: string): boolean {
    return this.#dots.has(id);
  }

  /** All of them. */
  dots(): Dot[] {
    return [...this.#dots.values()];
  }

  hear({ name: feeder, people = [], activity }: Beat): void {
    const before = this.#fedBy.get(feeder);
    this.#fedBy.set(feeder, new Set(people.map(({ id }) => id)));
    for (const person of people) this.#join(person, feeder);
    if (before) this.#leave(before);
    for (const [id, views] of activity?.served ?? []) this.#move(id, feeder, views);
  }

  /** An instance feeds nobody any more. */
  feederGone(name: string): void {
    const before = this.#fedBy.get(name);
    if (!before) return;
    this.#fedBy.delete(name);
    this.#leave(before);
  }

  /** Who came, moved or viewed, and who left, since the last time. */
  takeChanges(): { moved: Dot[]; left: string[] } {
    const moved: Dot[] = [];
    const left: string[] = [];
    for (const id of this.#changed) {
      const dot = this.#dots.get(id);
      if (dot) moved.push(dot);
      else left.push(id);
    }
    this.#changed.clear();
    return { moved, left };
  }

  #join({ id, name = '', views }: Person, feeder: string): void {
    const [, instance, seen, known] = this.#dots.get(id) ?? [];
    if (known === name || (known === undefined && this.#dots.size >= MAX_PEOPLE)) return;
    this.#dots.set(id, [id, instance ?? feeder, seen ?? views, name]);
    this.#changed.add(id);
  }

  #move(id: string, instance: string, views: number): void {
    const dot = this.#dots.get(id);
    if (!dot) return;
    // Two instances may have served somebody at once, and the later of them be heard first.
    this.#dots.set(id, [id, instance, Math.max(views, dot[2]), dot[3]]);
    this.#changed.add(id);
  }

  /** Those whom nobody feeds any more have left. */
  #leave(ids: Set<string>): void {
    for (const id of ids) {
      const isFed = this.#fedBy.values().some((fed) => fed.has(id));
      if (isFed || !this.#dots.delete(id)) continue;
      this.#changed.add(id);
    }
  }
}
