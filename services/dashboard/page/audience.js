import { color, numberOf } from './colors.js';
import { byId, make, onClick, setText } from './elements.js';

/** @import { Hello, Overview, Participant } from '../protocol.ts' */

/** With more people, each takes less space. */
const SIZES = /** @type {const} */ ([
  [1, 'alone'],
  [40, 'normal'],
  [120, 'dense'],
  [Infinity, 'packed'],
]);

/** @typedef {{ element: HTMLElement, instance: string, views: number }} Person */

/** Everybody with the page open, each with a number, in the color of the instance that served it last. */
export class Audience {
  /**
   * @param {(id: string, instance: string, views: number) => void} onView is called with the views of
   * others, and the id of the element that shows who it was
   */
  constructor(onView) {
    this.onView = onView;
    /** @type {Map<string, Person>} */
    this.people = new Map();
    this.you = '';
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
    const left = [...this.people.keys()].filter((id) => !there.has(id));
    this.show(hello, hello.participants, left);
  }

  /**
   * @param {Overview} overview
   * @param {Participant[]} moved
   * @param {string[]} left
   */
  show({ audience }, moved, left) {
    setText(byId('participants'), String(audience.participants));
    setText(byId('audience-views'), String(audience.views));
    for (const id of left) {
      this.people.get(id)?.element.remove();
      this.people.delete(id);
    }
    for (const participant of moved) this.move(participant);
    const [, size] = SIZES.find(([most]) => this.people.size <= most) ?? SIZES[0];
    byId('audience').dataset.size = size;
    byId('you').hidden = this.people.size <= 1;
  }

  /** @param {Participant} participant */
  move([id, instance, views, name, number]) {
    const known = this.people.get(id);
    const person = known ?? this.add(id, number);
    const hasViewed = known !== undefined && views > known.views;
    Object.assign(person, { instance, views });
    const { element } = person;
    color(element, instance);
    element.title = `${name || number}: ${views} views, served by ${instance || 'no instance yet'}`;
    const who = make('span', 'who', name);
    const by = make('small', '', String(numberOf(instance) || ''));
    element.replaceChildren(String(number), who, by);
    if (id === this.you) setText(byId('you'), `you are ${number}`);
    else if (hasViewed && instance !== '') this.onView(element.id, instance, views);
  }

  /**
   * @param {string} id
   * @param {number} number
   */
  add(id, number) {
    const element = make('li', `participant${id === this.you ? ' you' : ''}`);
    element.id = `person-${id}`;
    element.dataset.number = String(number);
    const next = [...byId('audience').children].find(
      (other) => Number(/** @type {HTMLElement} */ (other).dataset.number) > number,
    );
    byId('audience').insertBefore(element, next ?? null);
    const person = { element, instance: '', views: 0 };
    this.people.set(id, person);
    return person;
  }

  /**
   * How many people an instance served last; 0 if you are alone.
   *
   * @param {string} name
   */
  servedBy(name) {
    if (this.people.size <= 1) return 0;
    return [...this.people.values()].filter(({ instance }) => instance === name).length;
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
