/**
 * A reply to a view. `session` tells sessions apart; services/minimal does not send it.
 * @typedef {{ views: number, instance: string, session?: string }} Mark
 *
 * The replies of one counter, which was at `start` before them.
 * @typedef {{ start: number, marks: Mark[] }} Count
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
  /** @param {number} [start] the number of views before the first one; by default one below it */
  constructor(start) {
    this.start = start;
    /** @type {Mark[]} */
    this.marks = [];
    /** Requests without a reply: their views may have been counted. */
    this.failed = 0;
    /** Whether each session counts for itself. */
    this.bySession = true;
    /** Whether the stack may have started again since the latest reply. */
    this.isOld = false;
  }

  /**
   * The counts in the order of their first replies. A session starts a count of its own, unless its
   * numbers continue the count before: then a login has replaced the id of the session.
   *
   * @returns {Count[]}
   */
  get counts() {
    /** @type {Count[]} */
    const counts = [];
    const sessions = Map.groupBy(this.marks, ({ session }) => (this.bySession ? session : ''));
    for (const marks of sessions.values()) {
      const before = counts.at(-1);
      const first = Math.min(...marks.map(({ views }) => views));
      if (before && first > lastOf(before)) before.marks.push(...marks);
      else counts.push({ start: (before ? undefined : this.start) ?? first - 1, marks });
    }
    return counts;
  }

  /** The count of the latest reply. */
  get current() {
    const latest = this.marks.at(-1);
    const empty = { start: this.start ?? Infinity, marks: [] };
    return this.counts.find(({ marks }) => latest && marks.includes(latest)) ?? empty;
  }

  /** The highest number of the current count. */
  get last() {
    return lastOf(this.current);
  }

  /**
   * Adds a reply.
   *
   * @param {Mark} mark
   * @returns whether another client has counted so many views before it that the trail restarts
   */
  add(mark) {
    if (this.isOld && this.marks.every(({ session }) => session !== mark.session)) {
      Object.assign(this, { marks: [], start: undefined });
    }
    this.isOld = false;
    const hasJumped = mark.views - this.last > MAX_JUMP;
    if (hasJumped) {
      this.marks = [];
      this.start = mark.views - 1;
    }
    this.marks.push(mark);
    if (this.marks.length > MAX_MARKS) this.forgetFirst();
    return hasJumped;
  }

  /** Drops other counts and the oldest half of the current one, which bounds the memory. */
  forgetFirst() {
    const { start, marks } = this.current;
    marks.sort((a, b) => a.views - b.views);
    const forgotten = marks.splice(0, marks.length - MAX_MARKS / 2);
    this.marks = marks;
    this.start = forgotten.at(-1)?.views ?? start;
  }

  /**
   * Sets whether each session counts for itself. After a change only the current count is left, or
   * nothing if its session ends: the stack has started again with another store.
   *
   * @param {boolean} bySession
   */
  separate(bySession) {
    if (this.marks.length > 0 && bySession !== this.bySession) {
      this.isOld = this.counts.length === 1;
      Object.assign(this, this.current);
    }
    this.bySession = bySession;
  }

  /** The numbers of the current count up to its last, in order, including lost ones. */
  steps() {
    return stepsOf(this.current);
  }

  /** Counts replies, lost views, duplicates, instances and sessions. */
  summary() {
    const { counts, marks, failed } = this;
    const steps = counts.flatMap(stepsOf);
    const missing = steps.filter(({ instances }) => instances.length === 0).length;
    const duplicates = marks.length - (steps.length - missing);
    return {
      answered: marks.length,
      // A view without a reply may have been counted.
      lost: Math.max(0, missing - failed),
      duplicates,
      failed,
      instances: new Set(marks.map(({ instance }) => instance)).size,
      sessions: counts.length,
    };
  }
}

/**
 * Reads the reply to a view; services/minimal answers with text.
 *
 * @param {string} text
 * @returns {{ views: number, session?: string }}
 */
export function readView(text) {
  const [, number] = /^Views: (\d+)$/.exec(text) ?? [];
  return number === undefined ? JSON.parse(text) : { views: Number(number) };
}

/**
 * The highest number of a count.
 *
 * @param {Count} count
 */
export function lastOf({ start, marks }) {
  return Math.max(start, ...marks.map(({ views }) => views));
}

/**
 * @param {Count} count
 * @returns {Step[]}
 */
function stepsOf({ start, marks }) {
  /** @type {Map<number, string[]>} */
  const byNumber = new Map();
  for (const { views, instance } of marks) {
    byNumber.set(views, [...(byNumber.get(views) ?? []), instance]);
  }
  const last = Math.max(start + marks.length, ...byNumber.keys());
  for (let number = start + 1; number <= last; number += 1) {
    if (!byNumber.has(number)) byNumber.set(number, []);
  }
  return [...byNumber]
    .map(([number, instances]) => ({ number, instances }))
    .sort((a, b) => a.number - b.number);
}

/**
 * Describes a summary.
 *
 * @param {ReturnType<Trail['summary']>} summary
 * @param {number} asked how many views were requested
 */
export function inWords({ answered, lost, duplicates, failed, instances, sessions }, asked) {
  return [
    `${asked} sent`,
    `${answered} counted`,
    `${lost || 'none'} lost`,
    `${duplicates || 'none'} counted twice`,
    ...(failed > 0 ? [`${failed} failed`] : []),
    instances === 1 ? 'by 1 instance' : `by ${instances} instances`,
    ...(sessions > 1 ? [`${sessions} sessions`] : []),
  ].join(', ');
}
