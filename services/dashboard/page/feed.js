import { byId, setText } from './elements.js';

/** @import { Hello, Tick } from '../messages.ts' */

/** Milliseconds without a message after which the feed counts as lost. */
const SILENT_MS = 4000;
/** Milliseconds after which a feed that was refused is asked for again. */
const RETRY_MS = 1000;

/**
 * Follows the board. A hidden page does not: it would take one of the few connections that a browser
 * makes, for nothing.
 */
export class Feed {
  /** @param {{ hello: (hello: Hello) => void, tick: (tick: Tick) => void }} listeners */
  constructor(listeners) {
    this.listeners = listeners;
    /** @type {EventSource | undefined} */
    this.source = undefined;
    this.timer = 0;
    document.addEventListener('visibilitychange', () => this.reopen());
    window.addEventListener('pagehide', () => this.source?.close());
    this.reopen();
  }

  /** Asks anew, as the session may be another one now. */
  reopen() {
    clearTimeout(this.timer);
    this.source?.close();
    this.source = undefined;
    if (document.hidden) return;
    const source = new EventSource('/events');
    this.source = source;
    source.addEventListener('hello', ({ data }) =>
      this.hear(() => this.listeners.hello(JSON.parse(data))),
    );
    source.addEventListener('tick', ({ data }) =>
      this.hear(() => this.listeners.tick(JSON.parse(data))),
    );
    source.addEventListener('error', () => {
      this.show(false);
      // A browser asks again by itself where a feed has ended, but not where it was refused.
      if (source.readyState === EventSource.CLOSED) this.reopenAfter(RETRY_MS);
    });
    this.reopenAfter(SILENT_MS);
  }

  /** @param {() => void} handle */
  hear(handle) {
    this.show(true);
    handle();
    this.reopenAfter(SILENT_MS);
  }

  /** @param {number} ms */
  reopenAfter(ms) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.show(false);
      this.reopen();
    }, ms);
  }

  /** @param {boolean} isLive */
  show(isLive) {
    const element = byId('connection');
    element.dataset.live = String(isLive);
    setText(element, isLive ? 'live' : 'reconnecting');
  }
}
