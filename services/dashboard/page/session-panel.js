import { color } from './colors.js';
import { byId, make, onClick, setText } from './elements.js';
import { logEvent } from './log.js';
import { reasonOf, request } from './request.js';
import { inWords, lastOf, readView, Trail } from './trail.js';

/** @import { Switches } from '../protocol.ts' */
/** @import { Mark } from './trail.js' */

const BURST = 100;
/** Only the latest marks are shown. */
const MAX_MARKS = 240;
/** Milliseconds in which replies are collected: to draw all marks takes longer than a frame. */
const TRAIL_MS = 250;
/** Milliseconds between two reports of the instance that answered. */
const REPORT_MS = 350;
/** Milliseconds for which a card shows that it has changed. */
const FLASH_MS = 900;
const NEW_SESSION = 'The session before has ended. A new one counts from 1 and has its own trail.';
const OTHER_CLIENT =
  'Another client with this cookie, for example a load test, has counted thousands of views. The trail starts after them.';

/**
 * The visitor's own session: views, trail, login, cart. The trail survives a reload, and other tabs
 * of this browser share it, as they share the session.
 */
export class SessionPanel {
  /** @param {() => void} onNewSession is called when the session has another id */
  constructor(onNewSession) {
    this.onNewSession = onNewSession;
    this.channel = new BroadcastChannel('trail');
    this.channel.onmessage = ({ data }) => this.hearOtherTab(data);
    /** @type {Trail | undefined} until the first reply */
    this.trail = undefined;
    /** @type {Mark | undefined} the latest reply to this page */
    this.latest = undefined;
    /** Whether the instances share sessions, as far as this page knows. */
    this.isShared = true;
    /** @type {string | undefined} the session that the trail shows */
    this.session = undefined;
    this.isShowing = false;
    this.isReporting = false;
    this.flashedAt = -Infinity;
    /** How many views have no reply yet. */
    this.pending = 0;
    /** Whether the view of this page failed, and is still to be counted. */
    this.isUncounted = false;
    byId('trail').tabIndex = 0; // the keyboard can scroll it
    window.addEventListener('pagehide', () => this.trail && keep(this.trail));

    onClick('visit', () => this.visit());
    onClick('visit-many', () => this.visitMany());
    onClick('new-session', () => this.leave());
    onClick('logout', () => this.leave());
    onSubmit('login', 'name', (name) => this.logIn(name));
    onSubmit('nickname-form', 'nickname', (nickname) => this.setNickname(nickname));
    onSubmit('cart-form', 'item', (item) => this.addToCart(item));
  }

  /** Counts the view of this page, which starts the session of a new visitor. */
  async start() {
    await this.visit();
    await this.readSession();
    this.isUncounted = this.trail === undefined;
  }

  /** Counts the view of this page now, if it could not be counted at its start. */
  async retry() {
    if (!this.isUncounted) return;
    this.isUncounted = false;
    await this.start();
  }

  /** @param {Mark | 'login'} message */
  hearOtherTab(message) {
    if (message === 'login') void this.readOtherSession();
    else this.add(message);
  }

  async visit() {
    setText(byId('trail-note'), '');
    const failure = await this.view();
    this.showFailure(failure);
    const { views, instance } = this.trail?.marks.at(-1) ?? {};
    logEvent(failure === '' ? `view ${views}: ${instance}` : failure);
  }

  /** Without a session, each of many first views at once would start one. So one view goes ahead. */
  async visitMany() {
    setText(byId('trail-note'), '');
    setText(byId('trail-summary'), '');
    const burst = new Trail();
    const failures = [await this.view(burst)];
    if (failures[0] === '') {
      const { start, marks } = (this.trail ?? burst).current;
      burst.start = lastOf({ start, marks: marks.filter((mark) => !burst.marks.includes(mark)) });
      const others = Array.from({ length: BURST - 1 }, () => this.view(burst));
      failures.push(...(await Promise.all(others)));
      burst.bySession = this.isShared;
      this.drawTrail();
      setText(byId('trail-summary'), inWords(burst.summary(), BURST));
    }
    this.showFailure(failures.find((failure) => failure !== ''));
  }

  /**
   * Learns whether the instances share sessions. If not, each reply may bring a session of its own,
   * and one trail for all of them shows what that loses.
   *
   * @param {Switches} switches none before an instance was asked
   */
  learn({ SESSION_STORE }) {
    if (SESSION_STORE === undefined) return;
    this.isShared = SESSION_STORE !== 'memory';
    if (this.trail?.bySession === this.isShared) return;
    this.trail?.separate(this.isShared);
    this.showTrail();
  }

  /**
   * Views once.
   *
   * @param {Trail} [burst] another trail for the reply
   * @returns the reason of a failure, or ''
   */
  async view(burst) {
    this.pending += 1;
    try {
      const { text, headers } = await request('GET', '/').finally(() => {
        this.pending -= 1;
      });
      const mark = { ...readView(text), instance: headers.get('X-Instance') ?? 'unknown' };
      burst?.add(mark);
      this.channel.postMessage(mark);
      this.add(mark);
      this.latest = mark;
      void this.report();
      return '';
    } catch (err) {
      for (const trail of [burst, this.trail]) if (trail) trail.failed += 1;
      this.showTrail();
      return reasonOf(err);
    }
  }

  /** Tells the dashboard which instance answered last; some replies are left out. */
  async report() {
    if (this.isReporting) return;
    this.isReporting = true;
    while (this.latest) {
      const body = this.latest;
      this.latest = undefined;
      // Without a dashboard the page counts all the same.
      await request('POST', '/dashboard/participants', { body }).catch(() => {});
      await new Promise((resolve) => setTimeout(resolve, REPORT_MS));
    }
    this.isReporting = false;
  }

  /** Reports again, for a dashboard that has just added this page to its audience. */
  reportAgain() {
    this.latest ??= this.trail?.marks.at(-1);
    void this.report();
  }

  /** @param {string} name */
  async logIn(name) {
    const { headers } = await request('POST', '/login', { body: { name } });
    this.channel.postMessage('login');
    await this.readOtherSession();
    if (this.isShared) return;
    const instance = headers.get('X-Instance');
    setText(
      byId('trail-note'),
      `Only ${instance} has the login, in its memory; the others do not.`,
    );
  }

  /** Ends the session, and views for the first time in another one. */
  async leave() {
    try {
      await request('POST', '/logout');
      this.reset();
      await this.visit();
      this.onNewSession();
    } catch (err) {
      this.showFailure(reasonOf(err));
    }
  }

  /** @param {string} nickname */
  async setNickname(nickname) {
    await request('POST', '/dashboard/nickname', { body: { nickname } });
    await this.readSession();
  }

  /** @param {string} item */
  async addToCart(item) {
    await request('POST', '/cart', { body: { item, quantity: 1 } });
    await this.readSession();
  }

  async readSession() {
    try {
      const { text } = await request('GET', '/dashboard/session');
      this.showSession(JSON.parse(text));
    } catch (err) {
      this.showFailure(reasonOf(err));
    }
  }

  /** The session has another id, and maybe other contents. */
  async readOtherSession() {
    this.onNewSession();
    await this.readSession();
  }

  reset() {
    sessionStorage.removeItem('trail');
    this.trail = undefined;
    this.session = undefined;
    this.showSession({ cart: {} });
    for (const id of ['trail-note', 'trail-summary']) setText(byId(id), '');
  }

  /** @param {Mark} mark */
  add(mark) {
    if (!this.trail) {
      this.trail = restore(mark);
      this.session = this.trail.marks.at(-1)?.session ?? mark.session;
      if (this.trail.marks.length === 0) this.trail.separate(this.isShared);
    }
    if (this.trail.add(mark)) setText(byId('trail-note'), OTHER_CLIENT);
    // Of many replies at once, the highest number need not arrive last.
    const views = `Views: ${this.isShared ? this.trail.last : mark.views}`;
    setText(byId('views'), views);
    this.showCard({ views });
    const badge = byId('instance');
    setText(badge, mark.instance);
    color(badge, mark.instance);
    color(byId('browser'), mark.instance);
    this.showTrail();
  }

  /** Updates the marks soon, once for many replies. */
  showTrail() {
    if (this.isShowing) return;
    this.isShowing = true;
    setTimeout(() => {
      this.isShowing = false;
      this.drawTrail();
    }, TRAIL_MS);
  }

  drawTrail() {
    if (!this.trail) return;
    this.noteSession(this.trail);
    const isPending = this.pending > 0;
    const steps = this.trail.steps().slice(-MAX_MARKS);
    const marks = steps.map((step) => markOf(step, isPending));
    const { failed } = this.trail;
    if (failed > 0) marks.push(make('li', 'mark failed', `✕ ${failed} failed`));
    byId('trail').replaceChildren(...marks);
    byId('trail').scrollTop = byId('trail').scrollHeight;
  }

  /**
   * Says that the trail is one of a new session. A login goes on with the same trail.
   *
   * @param {Trail} trail
   */
  noteSession({ current: { marks } }) {
    const before = this.session;
    this.session = marks.at(-1)?.session;
    if (before === undefined || marks.some(({ session }) => session === before)) return;
    setText(byId('trail-note'), NEW_SESSION);
    void this.readOtherSession();
  }

  /** @param {{ name?: string, nickname?: string, cart: Record<string, number> }} session */
  showSession({ name, nickname, cart }) {
    this.showCard({ name: name ?? nickname ?? '', cart });
    const who = name === undefined ? 'not logged in' : `logged in as ${name}`;
    setText(byId('who'), nickname === undefined ? who : `${who}, nickname ${nickname}`);
    const hadFocus =
      byId('login').contains(document.activeElement) || document.activeElement === byId('logout');
    byId('login').hidden = name !== undefined;
    byId('logout-line').hidden = name === undefined;
    if (hadFocus) byId(name === undefined ? 'name' : 'logout').focus();
    const items = Object.entries(cart).map(([item, n]) => make('li', '', `${item} × ${n}`));
    byId('cart').replaceChildren(...items);
  }

  /**
   * Shows what has changed of the session in Redis, and lets its card flash.
   *
   * @param {{ views?: string, name?: string, cart?: Record<string, number> }} changed
   */
  showCard({ views, name, cart }) {
    const before = byId('session-card').textContent;
    if (views !== undefined) setText(byId('card-views'), views);
    if (name !== undefined) setText(byId('card-name'), name);
    if (cart !== undefined) {
      const items = Object.entries(cart).map(([item, n]) => `${item} × ${n}`);
      setText(byId('card-cart'), items.join(', '));
    }
    if (byId('session-card').textContent === before) return;
    if (performance.now() - this.flashedAt < FLASH_MS) return;
    this.flashedAt = performance.now();
    byId('session-card').animate({ outlineColor: ['currentColor', 'transparent'] }, FLASH_MS);
  }

  /** @param {string | undefined} failure */
  showFailure(failure = '') {
    setText(byId('session-failure'), failure);
  }
}

/**
 * @param {import('./trail.js').Step} step
 * @param {boolean} isPending whether the reply with a missing number may be on its way
 */
function markOf({ number, instances }, isPending) {
  const [first = '', ...more] = instances;
  const missing = isPending ? ' pending' : ' gap';
  const kind = first === '' ? missing : more.length > 0 ? ' duplicate' : '';
  const mark = make(
    'li',
    `mark${kind}`,
    `${number}${more.length > 0 ? ` ×${instances.length}` : ''}`,
  );
  mark.dataset.views = String(number);
  mark.title =
    first === ''
      ? `${number}: ${isPending ? 'no reply yet' : 'lost'}`
      : `${number}: ${instances.join(', ')}`;
  color(mark, first);
  return mark;
}

/**
 * Handles the submission of a form with one field.
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
function keep(trail) {
  sessionStorage.setItem('trail', JSON.stringify(trail));
}

/**
 * The trail from before a reload. A number without its session must continue it.
 *
 * @param {Mark} mark the first reply
 */
function restore({ views, session }) {
  const trail = new Trail();
  Object.assign(trail, JSON.parse(sessionStorage.getItem('trail') ?? '{}'));
  return session === undefined && views <= trail.last ? new Trail() : trail;
}
