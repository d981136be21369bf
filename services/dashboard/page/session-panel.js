import { colour } from './colours.js';
import { byId, make, onClick, setText } from './elements.js';
import { reasonOf, request } from './request.js';
import { inWords, Trail } from './trail.js';

/** @import { Mark } from './trail.js' */

const BURST = 100;
/** The most marks that are shown, the latest ones. */
const MAX_MARKS = 240;

/**
 * The visitor's own session: views, trail, login, cart. The trail is kept over a reload, and shared
 * with other pages of this browser, which have the same session.
 */
export class SessionPanel {
  /** @param {() => void} onNewSession is told when the session has another id */
  constructor(onNewSession) {
    this.onNewSession = onNewSession;
    this.channel = new BroadcastChannel('trail');
    this.channel.onmessage = ({ data }) => this.hearOther(data);
    const { views, instance } = document.body.dataset;
    const mark = { views: Number(views), instance: String(instance) };
    this.trail = restore(mark.views);
    this.isShowing = false;
    this.mark(mark);
    this.readCart();

    onClick('visit', () => this.visit());
    onClick('visit-many', () => this.visitMany());
    onClick('new-session', () => this.leave());
    onClick('logout', () => this.leave());
    onSubmit('login', 'name', (name) => this.logIn(name));
    onSubmit('cart-form', 'item', (item) => this.addToCart(item));
  }

  /**
   * Another page of this browser has viewed, has logged in, or has begun a new session.
   *
   * @param {Mark | { login: string } | 'new'} said
   */
  hearOther(said) {
    if (said === 'new') this.begin();
    else if ('login' in said) this.showWho(said.login);
    else return this.add(said);
    this.onNewSession();
  }

  async visit() {
    this.say(await this.view(this.trail));
  }

  async visitMany() {
    const burst = new Trail(this.trail.last);
    const failures = await Promise.all(Array.from({ length: BURST }, () => this.view(burst)));
    setText(byId('trail-summary'), inWords(burst.summary(), BURST));
    this.say(failures.find((failure) => failure !== ''));
  }

  /**
   * Views once.
   *
   * @param {Trail} trail where it is noted besides
   * @returns what went wrong, if anything
   */
  async view(trail) {
    try {
      const { views, instance } = JSON.parse((await request('GET', '/')).text);
      const mark = { views, instance };
      if (trail !== this.trail) trail.add(mark);
      this.mark(mark);
      return '';
    } catch (err) {
      if (trail !== this.trail) trail.failed += 1;
      this.trail.failed += 1;
      this.showTrail();
      return reasonOf(err);
    }
  }

  /** @param {string} name */
  async logIn(name) {
    await request('POST', '/login', { body: { name } });
    this.showWho(name);
    this.channel.postMessage({ login: name });
    this.onNewSession();
  }

  /** Ends the session, and views for the first time in another one. */
  async leave() {
    try {
      await request('POST', '/logout');
      this.channel.postMessage('new');
      this.begin();
      await this.visit();
      this.onNewSession();
    } catch (err) {
      this.say(reasonOf(err));
    }
  }

  /** @param {string} item */
  async addToCart(item) {
    await request('POST', '/cart', { body: { item, quantity: 1 } });
    await this.readCart();
  }

  async readCart() {
    try {
      this.showCart(JSON.parse((await request('GET', '/cart')).text));
    } catch (err) {
      this.say(reasonOf(err));
    }
  }

  begin() {
    this.trail = new Trail(0);
    this.showWho('');
    this.showCart({});
    setText(byId('trail-summary'), '');
    this.showTrail();
  }

  /** @param {Mark} mark a reply to this page */
  mark(mark) {
    this.channel.postMessage(mark);
    this.add(mark);
  }

  /** @param {Mark} mark */
  add(mark) {
    this.trail.add(mark);
    setText(byId('views'), `Views: ${mark.views}`);
    const badge = byId('instance');
    setText(badge, mark.instance);
    colour(badge, mark.instance);
    this.showTrail();
  }

  /** Soon, and once for many marks. */
  showTrail() {
    if (this.isShowing) return;
    this.isShowing = true;
    requestAnimationFrame(() => {
      this.isShowing = false;
      keep(this.trail);
      byId('trail').replaceChildren(...this.trail.steps().slice(-MAX_MARKS).map(markOf));
      byId('trail').scrollTop = byId('trail').scrollHeight;
    });
  }

  /** @param {string} name */
  showWho(name) {
    setText(byId('who'), name === '' ? 'not logged in' : `logged in as ${name}`);
    const hadFocus =
      byId('login').contains(document.activeElement) || document.activeElement === byId('logout');
    byId('login').hidden = name !== '';
    byId('logout-line').hidden = name === '';
    if (hadFocus) byId(name === '' ? 'name' : 'logout').focus();
  }

  /** @param {Record<string, number>} cart */
  showCart(cart) {
    const items = Object.entries(cart).map(([item, n]) => make('li', '', `${item} × ${n}`));
    byId('cart').replaceChildren(...items);
  }

  /** @param {string | undefined} failure */
  say(failure = '') {
    setText(byId('session-failure'), failure);
  }
}

/** @param {import('./trail.js').Step} step */
function markOf({ number, instances }) {
  const [first = '', ...more] = instances;
  const kind = first === '' ? ' gap' : more.length > 0 ? ' doubled' : '';
  const mark = make(
    'li',
    `mark${kind}`,
    `${number}${more.length > 0 ? ` ×${instances.length}` : ''}`,
  );
  mark.dataset.views = String(number);
  mark.title = first === '' ? `${number}: lost` : `${number}: ${instances.join(', ')}`;
  colour(mark, first);
  return mark;
}

/**
 * Has a form do something with its one field.
 *
 * @param {string} formId
 * @param {string} fieldId
 * @param {(value: string) => Promise<void>} work
 */
function onSubmit(formId, fieldId, work) {
  byId(formId).addEventListener('submit', async (event) => {
    event.preventDefault();
    const failure = await work(byId(fieldId, HTMLInputElement).value).then(() => '', reasonOf);
    setText(byId('session-failure'), failure);
  });
}

/** @param {Trail} trail */
function keep({ start, marks, failed }) {
  sessionStorage.setItem('trail', JSON.stringify({ start, marks, failed }));
}

/**
 * The trail of before a reload, where it goes on; else a new one.
 *
 * @param {number} views with the one that loaded the page
 */
function restore(views) {
  const kept = JSON.parse(sessionStorage.getItem('trail') ?? 'null');
  const trail = new Trail(views - 1);
  if (kept) Object.assign(trail, kept);
  return trail.last < views ? trail : new Trail(views - 1);
}
