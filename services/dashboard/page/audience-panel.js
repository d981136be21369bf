import { color } from './colors.js';
import { byId, make, onClick, setText } from './elements.js';
import { byNumber } from './instances-panel.js';

/** @import { Hello, InstanceView, Overview, Participant } from '../protocol.ts' */

/** In pixels: the distance between two dots, and the width of a lane's label. */
const STEP = 20;
const LABEL = 120;
/** The most names that a lane shows. */
const MAX_NAMES = 6;

/**
 * @typedef {{ element: HTMLElement, instance: string, slot: number, name: string, place: string }} Dot
 */

/** Everybody with the page open, as a dot in the lane of the instance that served them last. */
export class AudiencePanel {
  constructor() {
    /** @type {Map<string, Dot>} */
    this.dots = new Map();
    /** @type {Map<string, HTMLElement>} the labels of the lanes */
    this.lanes = new Map();
    this.you = '';
    new ResizeObserver(() => this.arrange()).observe(byId('audience'));
    onClick('dismiss-join', async () => {
      sessionStorage.setItem('joined', 'yes');
      byId('join').hidden = true;
    });
  }

  /** @param {Hello} hello */
  begin(hello) {
    this.you = hello.you ?? '';
    showAddress(hello.publicUrl);
    const there = new Set(hello.participants.map(([id]) => id));
    this.show(
      hello,
      hello.participants,
      [...this.dots.keys()].filter((id) => !there.has(id)),
    );
  }

  /**
   * @param {Overview} overview
   * @param {Participant[]} moved
   * @param {string[]} left
   */
  show({ audience, instances }, moved, left) {
    setText(byId('participants'), String(audience.participants));
    setText(byId('audience-views'), String(audience.views));
    for (const id of left) {
      this.dots.get(id)?.element.remove();
      this.dots.delete(id);
    }
    for (const participant of moved) this.move(participant);
    if (this.updateLanes(instances) || moved.length > 0 || left.length > 0) this.arrange();
  }

  /** @param {Participant} participant */
  move([id, instance, views, name]) {
    const dot = this.dots.get(id) ?? this.add(id);
    if (dot.instance !== instance) {
      dot.slot = this.freeSlot(instance);
      dot.instance = instance;
      color(dot.element, instance);
    }
    dot.name = name;
    dot.element.classList.toggle('you', id === this.you);
    dot.element.title = `${name || id}: ${views} views, served by ${instance || 'no instance yet'}`;
    setText(dot.element, [...name][0] ?? '');
  }

  /** @param {string} id */
  add(id) {
    const element = make('span', 'participant');
    element.dataset.id = id;
    byId('audience').append(element);
    const dot = { element, instance: '', slot: 0, name: '', place: '' };
    this.dots.set(id, dot);
    return dot;
  }

  /** @param {string} instance */
  freeSlot(instance) {
    const its = [...this.dots.values()].filter((dot) => dot.instance === instance);
    const taken = new Set(its.map(({ slot }) => slot));
    let slot = 0;
    while (taken.has(slot)) slot += 1;
    return slot;
  }

  /**
   * Creates a lane for each instance, and for each that served a participant last.
   *
   * @param {InstanceView[]} instances
   * @returns whether the lanes have changed
   */
  updateLanes(instances) {
    const served = [...this.dots.values()].map(({ instance }) => instance);
    const names = [...new Set([...instances.map(({ name }) => name), ...served])].sort(byNumber);
    if (names.join() === [...this.lanes.keys()].join()) return false;
    for (const label of this.lanes.values()) label.remove();
    this.lanes = new Map(names.map((name) => [name, make('span', 'lane')]));
    byId('audience').prepend(...this.lanes.values());
    return true;
  }

  /** Moves the dots to their places; a transition animates them. */
  arrange() {
    const perRow = Math.max(1, Math.floor((byId('audience').clientWidth - LABEL) / STEP));
    let top = 0;
    for (const [name, label] of this.lanes) {
      const its = [...this.dots.values()].filter(({ instance }) => instance === name);
      for (const dot of its) {
        const x = LABEL + (dot.slot % perRow) * STEP;
        const y = top + Math.floor(dot.slot / perRow) * STEP;
        const place = `translate(${x}px, ${y}px)`;
        if (dot.place !== place) dot.element.style.transform = place;
        dot.place = place;
      }
      const names = its.map((dot) => dot.name).filter((text) => text !== '');
      const more = names.length > MAX_NAMES ? ' …' : '';
      label.style.transform = `translateY(${top}px)`;
      setText(label, `${name || 'no view yet'}: ${its.length}`);
      label.title = names.slice(0, MAX_NAMES).join(', ') + more;
      const rows = Math.ceil((Math.max(-1, ...its.map(({ slot }) => slot)) + 1) / perRow);
      top += Math.max(1, rows) * STEP + 6;
    }
    byId('audience').style.height = `${top}px`;
  }
}

/**
 * Shows the address for the audience: the configured one, or that of a page opened from elsewhere.
 *
 * @param {string | null} publicUrl
 */
function showAddress(publicUrl) {
  const isLocal = /^(localhost|127\.|\[::1\])/.test(location.hostname);
  const url = publicUrl ?? (isLocal ? '' : `${location.origin}/`);
  byId('join').hidden = url === '' || sessionStorage.getItem('joined') !== null;
  byId('audience-closed').hidden = url !== '';
  if (url === '') return;
  byId('qr-code', HTMLImageElement).src = '/dashboard/qr.svg';
  const link = byId('public-url', HTMLAnchorElement);
  link.href = url;
  setText(link, url);
}
