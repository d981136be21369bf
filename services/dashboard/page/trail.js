/**
 * What a reply to a view said.
 * @typedef {{ views: number, instance: string }} Mark
 *
 * A number of the trail: who got it. Nobody: a gap. More than one: doubled.
 * @typedef {{ number: number, instances: string[] }} Step
 */

/** The most replies that are remembered. */
const MAX_MARKS = 1000;
/** So many views at one go are none that were lost: somebody else uses the cookie, as a load test. */
const MAX_JUMP = 10_000;

/** The views of one visitor in the order of their numbers: each has to come once. */
export class Trail {
  /** @param {number} start the number of views before the first one */
  constructor(start) {
    this.start = start;
    /** @type {Mark[]} */
    this.marks = [];
    /** How many views were not answered: they may have been counted or not. */
    this.failed = 0;
  }

  /** The highest number so far. */
  get last() {
    return Math.max(this.start, ...this.marks.map(({ views }) => views));
  }

  /** @param {Mark} mark */
  add(mark) {
    if (mark.views - this.last > MAX_JUMP) {
      this.marks = [];
      this.start = mark.views - 1;
    }
    this.marks.push(mark);
    if (this.marks.length > MAX_MARKS) this.forgetFirst();
  }

  /** Has the trail begin later, so that it does not grow for ever. */
  forgetFirst() {
    this.marks.sort((a, b) => a.views - b.views);
    const forgotten = this.marks.splice(0, MAX_MARKS / 2);
    this.start = forgotten.at(-1)?.views ?? this.start;
  }

  /** The numbers that have to be there by now, and others that came. */
  steps() {
    /** @type {Map<number, string[]>} */
    const byNumber = new Map();
    for (const { views, instance } of this.marks) {
      byNumber.set(views, [...(byNumber.get(views) ?? []), instance]);
    }
    const last = Math.max(this.start + this.marks.length, ...byNumber.keys());
    for (let number = this.start + 1; number <= last; number += 1) {
      if (!byNumber.has(number)) byNumber.set(number, []);
    }
    return [...byNumber]
      .map(([number, instances]) => ({ number, instances }))
      .sort((a, b) => a.number - b.number);
  }

  /** How many replies there were, views that are lost or were counted for two, and instances. */
  summary() {
    const steps = this.steps();
    const missing = steps.filter(({ instances }) => instances.length === 0).length;
    const doubled = this.marks.length - (steps.length - missing);
    return {
      answered: this.marks.length,
      // What was not answered may have been counted all the same.
      lost: Math.max(0, missing - this.failed),
      doubled,
      failed: this.failed,
      instances: new Set(this.marks.map(({ instance }) => instance)).size,
    };
  }
}

/**
 * A summary in words.
 *
 * @param {ReturnType<Trail['summary']>} summary
 * @param {number} asked how many views were asked for
 */
export function inWords({ answered, lost, doubled, failed, instances }, asked) {
  return [
    `${answered} of ${asked}`,
    `${lost} lost`,
    `${doubled} doubled`,
    ...(failed > 0 ? [`${failed} failed`] : []),
    instances === 1 ? '1 instance' : `${instances} instances`,
  ].join(', ');
}
