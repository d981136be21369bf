import { colour } from './colours.js';
import { byId, make, setText } from './elements.js';
import { byNumber } from './instances-panel.js';

/** @import { Dot, Hello, InstanceView, Overview } from '../messages.ts' */

/** In pixels: the distance of two dots, the width of a lane's label. */
const STEP = 20;
const LABEL = 120;
/** The most names that a lane shows. */
const MAX_NAMES = 6;

/**
 * @typedef {{ element: HTMLElement, instance: string, slot: number, name: string, place: string }} Person
 */

/** Who has the page open: a dot each, in the lane of the instance that served them last. */
export class RoomPanel {
  constructor() {
    /** @type {Map<string, Person>} */
    this.people = new Map();
    /** @type {Map<string, HTMLElement>} the labels of the lanes */
    this.lanes = new Map();
    this.you = '';
    new ResizeObserver(() => this.arrange()).observe(byId('lanes'));
    showAddress();
  }

  /** @param {Hello} hello */
  begin(hello) {
    this.you = hello.you ?? '';
    const there = new Set(hello.dots.map(([id]) => id));
    this.show(
      hello,
      hello.dots,
      [...this.people.keys()].filter((id) => !there.has(id)),
    );
  }

  /**
   * @param {Overview} overview
   * @param {Dot[]} moved
   * @param {string[]} left
   */
  show({ room, instances }, moved, left) {
    setText(byId('people'), String(room.people));
    setText(byId('room-views'), String(room.views));
    for (const id of left) {
      this.people.get(id)?.element.remove();
      this.people.delete(id);
    }
    for (const dot of moved) this.move(dot);
    if (this.haveLanes(instances) || moved.length > 0 || left.length > 0) this.arrange();
  }

  /** @param {Dot} dot */
  move([id, instance, views, name]) {
    const person = this.people.get(id) ?? this.add(id);
    if (person.instance !== instance) {
      person.slot = this.freeSlot(instance);
      person.instance = instance;
      colour(person.element, instance);
    }
    person.name = name;
    person.element.classList.toggle('you', id === this.you);
    person.element.title = `${name || id}: ${views} views, last by ${instance}`;
    setText(person.element, [...name][0] ?? '');
  }

  /** @param {string} id */
  add(id) {
    const element = make('span', 'person');
    element.dataset.id = id;
    byId('lanes').append(element);
    const person = { element, instance: '', slot: 0, name: '', place: '' };
    this.people.set(id, person);
    return person;
  }

  /** @param {string} instance */
  freeSlot(instance) {
    const its = [...this.people.values()].filter((person) => person.instance === instance);
    const taken = new Set(its.map(({ slot }) => slot));
    let slot = 0;
    while (taken.has(slot)) slot += 1;
    return slot;
  }

  /**
   * Has a lane for each instance, and for each that has served somebody.
   *
   * @param {InstanceView[]} instances
   * @returns whether they are others than before
   */
  haveLanes(instances) {
    const served = [...this.people.values()].map(({ instance }) => instance);
    const names = [...new Set([...instances.map(({ name }) => name), ...served])].sort(byNumber);
    if (names.join() === [...this.lanes.keys()].join()) return false;
    for (const label of this.lanes.values()) label.remove();
    this.lanes = new Map(names.map((name) => [name, make('span', 'lane')]));
    byId('lanes').prepend(...this.lanes.values());
    return true;
  }

  /** Puts everybody in place: a dot glides from lane to lane. */
  arrange() {
    const perRow = Math.max(1, Math.floor((byId('lanes').clientWidth - LABEL) / STEP));
    let top = 0;
    for (const [name, label] of this.lanes) {
      const its = [...this.people.values()].filter(({ instance }) => instance === name);
      for (const person of its) {
        const x = LABEL + (person.slot % perRow) * STEP;
        const y = top + Math.floor(person.slot / perRow) * STEP;
        const place = `translate(${x}px, ${y}px)`;
        if (person.place !== place) person.element.style.transform = place;
        person.place = place;
      }
      const names = its.map((person) => person.name).filter((text) => text !== '');
      const more = names.length > MAX_NAMES ? ' …' : '';
      label.style.transform = `translateY(${top}px)`;
      setText(label, `${name}: ${its.length}`);
      label.title = names.slice(0, MAX_NAMES).join(', ') + more;
      const rows = Math.ceil((Math.max(-1, ...its.map(({ slot }) => slot)) + 1) / perRow);
      top += Math.max(1, rows) * STEP + 6;
    }
    byId('lanes').style.height = `${top}px`;
  }
}

/** The address for the room: the one that the stack has, or that of a page that was opened from elsewhere. */
function showAddress() {
  const given = document.body.dataset.room ?? '';
  const isLocal = /^(localhost|127\.|\[::1\])/.test(location.hostname);
  const url = given || (isLocal ? '' : `${location.origin}/`);
  byId('room-open').hidden = url === '';
  byId('room-closed').hidden = url !== '';
  if (url === '') return;
  byId('room-code', HTMLImageElement).src = '/room.svg';
  const link = byId('room-url', HTMLAnchorElement);
  link.href = url;
  setText(link, url);
}
