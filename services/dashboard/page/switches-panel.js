import { byId, make, setText } from './elements.js';

/** @import { Switches } from '../messages.ts' */

/**
 * The ways that lose something, and what is about to be seen of it.
 * @type {{ [Name in keyof Switches]?: Record<string, string> }}
 */
const WRONG = {
  SESSION_STORE: {
    memory:
      'SESSION_STORE=memory: each instance keeps its sessions to itself. Visit: the number starts again wherever you come, and the trail turns red.',
  },
  COUNTER: {
    session:
      'COUNTER=session: the number is read, increased and written back. One by one all is well; press Visit ×100, and views get lost.',
  },
  IDEMPOTENCY: {
    off: 'IDEMPOTENCY=off: nobody remembers what was applied. Kill an instance under load, and views are counted twice.',
  },
  CACHE: {
    off: 'CACHE=off: each request asks the origin. Fetch ×100, and look at its calls.',
  },
  CACHE_GUARD: {
    instance:
      'CACHE_GUARD=instance: each instance asks the origin for itself. Forget, Fetch ×100, and look at its calls.',
    off: 'CACHE_GUARD=off: whoever finds nothing asks the origin. Forget, Fetch ×100, and look at its calls.',
  },
};

/**
 * Shows which settings are in force, and warns of those that lose something.
 *
 * @param {Switches} switches
 */
export function showSwitches(switches) {
  const names = /** @type {(keyof Switches)[]} */ (Object.keys(switches));
  const warnings = names.flatMap((name) => WRONG[name]?.[switches[name]] ?? []);
  const rows = names.map((name) => {
    const isWrong = WRONG[name]?.[switches[name]] !== undefined;
    const row = make('div', isWrong ? 'switch wrong' : 'switch');
    row.dataset.name = name;
    row.dataset.value = switches[name];
    row.append(make('dt', '', name), make('dd', '', switches[name]));
    return row;
  });
  byId('switches').replaceChildren(...rows);
  byId('warning').hidden = warnings.length === 0;
  setText(byId('warning'), warnings.join(' '));
}
