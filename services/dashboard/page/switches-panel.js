import { byId, make, setText } from './elements.js';

/** @import { Switches } from '../protocol.ts' */

/**
 * The settings that lose something, and how to see it.
 * @type {Record<string, Record<string, string>>}
 */
const WRONG = {
  SESSION_STORE: {
    memory:
      'SESSION_STORE=memory: each instance has sessions of its own. Press Visit ×100: each instance counts from 1, and the trail turns red.',
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
 * Shows the settings in force, and warns about values that lose something.
 *
 * @param {Switches} switches
 */
export function showSwitches(switches) {
  const entries = Object.entries(switches);
  const text = JSON.stringify(entries);
  if (text === shown) return;
  shown = text;
  const warnings = entries.flatMap(([name, value]) => WRONG[name]?.[value] ?? []);
  const rows = entries.map(([name, value]) => {
    const isWrong = WRONG[name]?.[value] !== undefined;
    const row = make('div', isWrong ? 'switch wrong' : 'switch');
    row.dataset.name = name;
    row.dataset.value = value;
    row.append(make('dt', '', name), make('dd', '', value));
    return row;
  });
  byId('switches').replaceChildren(...rows);
  byId('shared-hint').hidden = switches.SESSION_STORE === 'memory';
  byId('warning').hidden = warnings.length === 0;
  setText(byId('warning'), warnings.join(' '));
}
