import { byId, make, setText } from './elements.js';

/** @import { Overview, Switches } from '../protocol.ts' */

/**
 * The settings that lose something, and how to see it.
 * @type {Record<string, Record<string, string>>}
 */
const WRONG = {
  SESSION_STORE: {
    memory:
      'SESSION_STORE=memory: each instance has sessions of its own. Press Visit ×100: each instance counts from 1, and the trail turns red. The dashboard sees no login, cart or participant.',
  },
  COUNTER: {
    session:
      'COUNTER=session: the number is read, increased and written back. Single views are right; press Visit ×100, and views are lost.',
  },
  IDEMPOTENCY: {
    off: 'IDEMPOTENCY=off: a request that nginx retries is applied again. Kill an instance under load, and views are counted twice.',
  },
  CACHE: {
    off: 'CACHE=off: each request calls the origin. Press Fetch ×100 and watch the origin calls.',
  },
  CACHE_GUARD: {
    instance:
      'CACHE_GUARD=instance: each instance calls the origin. Press Invalidate, then Fetch ×100, and watch the origin calls.',
    off: 'CACHE_GUARD=off: each miss calls the origin. Press Invalidate, then Fetch ×100, and watch the origin calls.',
  },
};

let shown = '';

/**
 * What the visitor sees with these settings.
 *
 * @param {Switches} switches
 * @param {boolean} isReachable whether Redis is
 */
function explanationOf({ SESSION_STORE, COUNTER }, isReachable) {
  if (SESSION_STORE === 'memory') {
    return 'Each instance keeps sessions in its own memory and knows no other ones, so the number jumps.';
  }
  if (!isReachable) return 'The number is in Redis, and Redis does not answer: nothing is counted.';
  if (COUNTER === 'session') {
    return 'The number is in Redis, but instances read it and write it back: at the same time, they lose views.';
  }
  return 'The number continues, whichever instance counts the view: it is in Redis, which all instances share.';
}

/**
 * Shows the settings in force, and warns about values that lose something.
 *
 * @param {Overview} overview
 */
export function showSwitches({ switches, redis }) {
  setText(byId('shared-hint'), explanationOf(switches, redis.reachable));
  const entries = Object.entries(switches);
  const text = JSON.stringify(entries);
  if (text === shown) return;
  shown = text;
  const warnings = entries.flatMap(([name, value]) => WRONG[name]?.[value] ?? []);
  const wrong = entries.filter(([name, value]) => WRONG[name]?.[value]);
  setText(byId('way'), wrong.map((entry) => entry.join('=')).join(', ') || 'the right way');
  const rows = entries.map((entry) => {
    const [name, value] = entry;
    const row = make('div', wrong.includes(entry) ? 'switch wrong' : 'switch');
    row.dataset.name = name;
    row.dataset.value = value;
    row.append(make('dt', '', name), make('dd', '', value));
    return row;
  });
  byId('switches').replaceChildren(...rows);
  byId('warning').hidden = warnings.length === 0;
  setText(byId('warning'), warnings.join(' '));
}
