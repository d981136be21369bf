import { byId, setText } from './elements.js';

/** @import { Hello, Tick } from '../protocol.ts' */

/** Milliseconds without a message after which the connection counts as lost. */
const SILENT_MS = 4000;
/** Milliseconds after which a refused connection is tried again. */
const RETRY_MS = 1000;

/**
 * Receives the messages of the dashboard. A hidden page is not connected, as browsers limit the
 * number of connections.
 */
export class EventStream {
  /** @param {{ hello: (hello: Hello) => void, tick: (tick: Tick) => void }} listeners */
  constructor(listeners) {
    this.listeners = listeners;
    /** @type {EventSource | undefined} */
    this.source = undefined;
    this.timer = 0;
    document.addEventListener('visibilitychange', () => this.open());
    window.addEventListener('pagehide', () => this.source?.close());
    this.open();
  }

  /** Reconnects, for example because the session has another id. */
  open() {
    clearTimeout(this.timer);
    this.source?.close();
    this.source = undefined;
    if (document.hidden) return;
    const source = new EventSource('/dashboard/events');
    this.source = source;
    source.addEventListener('hello', ({ data }) =>
      this.hear(() => this.listeners.hello(JSON.parse(data))),
    );
    source.addEventListener('tick', ({ data }) =>
      this.hear(() => this.listeners.tick(JSON.parse(data))),
    );
    source.addEventListener('error', () => {
      this.show(false);
      // A browser reconnects after the end of a stream, but not after a refusal.
      if (source.readyState === EventSource.CLOSED) this.openAfter(RETRY_MS);
    });
    this.openAfter(SILENT_MS);
  }

  /** @param {() => void} handle */
  hear(handle) {
    this.show(true);
    handle();
    this.openAfter(SILENT_MS);
  }

  /** @param {number} ms */
  openAfter(ms) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.show(false);
      this.open();
    }, ms);
  }

  /** @param {boolean} isLive */
  show(isLive) {
    const element = byId('connection');
    element.dataset.live = String(isLive);
    setText(element, isLive ? 'live' : 'reconnecting');
  }
}
