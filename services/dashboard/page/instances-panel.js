import { color } from './colors.js';
import { byId, make, setText } from './elements.js';

/** @import { InstanceView } from '../protocol.ts' */

/** How many rates a sparkline shows. */
const HISTORY = 60;

/** One card for each instance. */
export class InstancesPanel {
  constructor() {
    /** @type {Map<string, Card>} */
    this.cards = new Map();
  }

  /** @param {InstanceView[]} instances */
  show(instances) {
    const names = new Set(instances.map(({ name }) => name));
    for (const [name, card] of this.cards) {
      if (names.has(name)) continue;
      card.element.remove();
      this.cards.delete(name);
    }
    for (const instance of instances) {
      const card = this.cards.get(instance.name) ?? this.add(instance.name);
      card.show(instance);
    }
  }

  /** @param {string} name */
  add(name) {
    const card = new Card(name);
    this.cards.set(name, card);
    const names = [...this.cards.keys()].sort(byNumber);
    const next = names[names.indexOf(name) + 1];
    byId('instances').insertBefore(card.element, (next && this.cards.get(next)?.element) ?? null);
    return card;
  }
}

/**
 * Sorts app-2 before app-10.
 *
 * @param {string} a
 * @param {string} b
 */
export function byNumber(a, b) {
  return a.localeCompare(b, 'en', { numeric: true });
}

class Card {
  /** @param {string} name */
  constructor(name) {
    /** @type {number[]} */
    this.rates = [];
    this.element = make('article', 'instance');
    this.element.dataset.name = name;
    const title = make('h3', 'badge', name);
    color(title, name);
    this.state = make('span', 'state');
    this.figures = ['up', 'requests/s', 'p99', 'memory'].map((term) => {
      const value = make('dd');
      return { term: make('dt', '', term), value };
    });
    const list = make('dl', 'figures');
    for (const { term, value } of this.figures) {
      const pair = make('div');
      pair.append(term, value);
      list.append(pair);
    }
    this.line = document.createElementNS('http://www.w3.org/2000/svg', 'polyline');
    const sparkline = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
    sparkline.setAttribute('viewBox', `0 0 ${HISTORY} 20`);
    sparkline.setAttribute('preserveAspectRatio', 'none');
    sparkline.setAttribute('aria-hidden', 'true');
    sparkline.append(this.line);
    const head = make('div', 'head');
    head.append(title, this.state);
    this.element.append(head, list, sparkline);
  }

  /** @param {InstanceView} instance */
  show({ state, uptimeSeconds, requestsPerSecond, p99Ms, memoryBytes }) {
    this.element.dataset.state = state;
    setText(this.state, state);
    const isKnown = memoryBytes > 0; // its metrics were read
    const texts = [
      isKnown ? inTime(uptimeSeconds) : '–',
      String(Math.round(requestsPerSecond)),
      p99Ms === null ? '–' : `${round(p99Ms)} ms`,
      isKnown ? inMegabytes(memoryBytes) : '–',
    ];
    for (const [i, { value }] of this.figures.entries()) setText(value, texts[i] ?? '');
    this.rates = [...this.rates, requestsPerSecond].slice(-HISTORY);
    const most = Math.max(10, ...this.rates);
    const points = this.rates.map((rate, i) => `${i},${19 - (18 * rate) / most}`);
    this.line.setAttribute('points', points.join(' '));
  }
}

/** @param {number} seconds */
function inTime(seconds) {
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`;
  return `${Math.floor(seconds / 3600)} h`;
}

/** @param {number} bytes */
export function inMegabytes(bytes) {
  return `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;
}

/**
 * Rounds to two significant digits.
 *
 * @param {number} ms
 */
function round(ms) {
  return Number(ms.toPrecision(2));
}
