import { byId, make } from './elements.js';

/** The latest events are shown. */
const MAX_EVENTS = 5;

/**
 * Adds what has happened to the log, which a screen reader reads.
 *
 * @param {string} text
 */
export function logEvent(text) {
  const log = byId('log');
  const time = new Date().toLocaleTimeString();
  const event = make('p');
  event.append(make('small', '', time), ` ${text}`);
  log.append(event);
  while (log.children.length > MAX_EVENTS) log.firstElementChild?.remove();
}
