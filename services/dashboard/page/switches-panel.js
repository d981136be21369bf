import { byId, make, onPress, setText } from './elements.js';

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

/**
 * The values of the switches, as services/app/config.ts has them.
 * @type {Record<string, string[]>}
 */
export const VALUES = {
  SESSION_STORE: ['redis', 'memory'],
  COUNTER: ['atomic', 'session'],
  IDEMPOTENCY: ['on', 'off'],
  CACHE: ['local', 'redis', 'off'],
  CACHE_GUARD: ['cluster', 'instance', 'off'],
};

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

/** The settings in force, with a warning about values that lose something. */
export class SwitchesPanel {
  /** @param {(name: string, value: string) => Promise<unknown>} set */
  constructor(set) {
    this.set = set;
    this.shown = '';
  }

  /**
   * @param {Overview} overview
   * @param {boolean} canSet
   */
  show({ switches, redis }, canSet) {
    setText(byId('shared-hint'), explanationOf(switches, redis.reachable));
    const entries = Object.entries(switches);
    const text = JSON.stringify([entries, canSet]);
    if (text === this.shown) return;
    this.shown = text;
    const warnings = entries.flatMap(([name, value]) => WRONG[name]?.[value] ?? []);
    const wrong = entries.filter(([name, value]) => WRONG[name]?.[value]);
    setText(byId('way'), wrong.map((entry) => entry.join('=')).join(', ') || 'the right way');
    const rows = entries.map((entry) => {
      const [name, value] = entry;
      const row = make('div', wrong.includes(entry) ? 'switch wrong' : 'switch');
      row.dataset.name = name;
      row.dataset.value = value;
      const values = canSet ? this.buttonsOf(name, value) : undefined;
      const shown = make('dd', values ? 'buttons' : '', values ? '' : value);
      shown.append(...(values ?? []));
      row.append(make('dt', '', name), shown);
      return row;
    });
    byId('switches').replaceChildren(...rows);
    byId('warning').hidden = warnings.length === 0;
    setText(byId('warning'), warnings.join(' '));
  }

  /**
   * A button for each value, if the setting is a switch.
   *
   * @param {string} name
   * @param {string} current
   */
  buttonsOf(name, current) {
    return VALUES[name]?.map((value) => {
      const button = make('button', '', value);
      button.type = 'button';
      button.ariaLabel = `${name}=${value}`;
      button.ariaPressed = String(value === current);
      onPress(button, () => this.set(name, value));
      return button;
    });
  }
}
