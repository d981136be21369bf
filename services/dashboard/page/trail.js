/**
 * A reply to a view.
 * @typedef {{ views: number, instance: string }} Mark
 *
 * A number, and the instances that replied with it. None: it was lost. Several: a duplicate.
 * @typedef {{ number: number, instances: string[] }} Step
 */

const MAX_MARKS = 1000;
/**
 * A larger jump means that another client shares this cookie (a load test, for example), not that
 * views were lost.
 */
const MAX_JUMP = 10_000;

/** The views of one visitor by number. If nothing is lost, each number comes exactly once. */
export class Trail {
  /** @param {number} start the number of views before the first one */
  constructor(start) {
    this.start = start;
    /** @type {Mark[]} */
    this.marks = [];
    /** Requests without a reply: their views may have been counted. */
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

  /** Drops the oldest half, which bounds the memory. */
  forgetFirst() {
    this.marks.sort((a, b) => a.views - b.views);
    const forgotten = this.marks.splice(0, MAX_MARKS / 2);
    this.start = forgotten.at(-1)?.views ?? this.start;
  }

  /** All numbers up to the last, in order, including lost ones. */
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

  /** Counts replies, lost views, duplicates and instances. */
  summary() {
    const steps = this.steps();
    const missing = steps.filter(({ instances }) => instances.length === 0).length;
    const duplicates = this.marks.length - (steps.length - missing);
    return {
      answered: this.marks.length,
      // A view without a reply may have been counted.
      lost: Math.max(0, missing - this.failed),
      duplicates,
      failed: this.failed,
      instances: new Set(this.marks.map(({ instance }) => instance)).size,
    };
  }
}

/**
 * Describes a summary.
 *
 * @param {ReturnType<Trail['summary']>} summary
 * @param {number} asked how many views were requested
 */
export function inWords({ answered, lost, duplicates, failed, instances }, asked) {
  return [
    `${answered} of ${asked} views counted`,
    `${lost || 'none'} lost`,
    `${duplicates || 'none'} counted twice`,
    ...(failed > 0 ? [`${failed} failed`] : []),
    instances === 1 ? '1 instance' : `${instances} instances`,
  ].join(', ');
}
