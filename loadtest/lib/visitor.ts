import { check, fail } from 'k6';
import { Counter } from 'k6/metrics';
import { field, instanceOf, type Response, send, sendAtOnce } from './site.ts';

/** Visitors for whom all checks of a script held. */
export const proved = new Counter('visitors_proved');

/** Visitors whom several instances served. Few requests may reach the same one by chance. */
const shared = new Counter('visitors_shared');

/** One view of `GET /`. */
export interface View {
  views: number;
  session: unknown;
  instance: string;
  /** Milliseconds. */
  ms: number;
}

/** Views the page. Throws without a number of views, which ends this visitor's iteration. */
export function view(): View {
  return viewIn(send('GET', '/', 'view'));
}

/** Views the page several times at once. */
export function viewAtOnce(times: number): View[] {
  return sendAtOnce('/', 'view', times).map(viewIn);
}

/** A whole visit: a new visitor views the page twice. */
export function visitTwice(): View[] {
  const seen = [view(), view()];
  if (check(seen, { 'views are 1 and 2': () => areEachOnce(seen, 2) })) proved.add(1);
  return seen;
}

/** True if the views are those from 1 to `last`, each once. At once they arrive in any order. */
export function areEachOnce(seen: View[], last: number): boolean {
  const numbers = seen.map(({ views }) => views).sort((a, b) => a - b);
  return numbers.length === last && numbers.every((number, i) => number === i + 1);
}

/** Counts this visitor as shared if at least two instances served the views. */
export function countShared(seen: View[]): void {
  if (new Set(seen.map(({ instance }) => instance)).size >= 2) shared.add(1);
}

function viewIn(response: Response): View {
  const views = response.status === 200 ? Number(field(response, 'views')) : 0;
  const isCounted = check(views, { 'a view is counted': (count) => count >= 1 });
  if (!isCounted) fail(`GET / answered ${response.status} ${response.error}`);
  const session = field(response, 'session');
  return { views, session, instance: instanceOf(response), ms: response.timings.duration };
}
