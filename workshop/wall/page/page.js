// What the wall and the phones have in common.

/**
 * The element with an id.
 *
 * @template {HTMLElement} [T=HTMLElement]
 * @param {string} id
 * @param {new () => T} [kind]
 * @returns {T}
 */
export function byId(id, kind) {
  const element = document.getElementById(id);
  if (!(element instanceof (kind ?? HTMLElement))) throw new Error(`the page has no #${id}`);
  return /** @type {T} */ (element);
}

/**
 * A new element.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {string} [className]
 * @param {string | Node[]} [content]
 */
export function make(tag, className = '', content = '') {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...content);
  return element;
}

/**
 * Sets a text, if it is another one: a screen reader would read it again.
 *
 * @param {string} id
 * @param {string} text
 */
export function setText(id, text) {
  const element = byId(id);
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Replaces the content of an element, if it is another one: the focus and a selection stay.
 *
 * @param {HTMLElement} element
 * @param {HTMLElement[]} content
 */
export function setContent(element, content) {
  const isSame = content.map((one) => one.outerHTML).join('') === element.innerHTML;
  if (!isSame) element.replaceChildren(...content);
}

/**
 * Shows each state that the server sends.
 *
 * @param {string} path
 * @param {(state: any) => void} show
 */
export function receive(path, show) {
  const source = new EventSource(path);
  source.onmessage = ({ data }) => show(JSON.parse(data));
  source.onerror = () => {
    setText('status', 'The workshop has ended, or the network is away.');
    // A browser reconnects after a lost connection, but not after a refusal.
    if (source.readyState === EventSource.CLOSED) setTimeout(() => receive(path, show), 1000);
  };
}

/**
 * Sends JSON.
 *
 * @param {string} path
 * @param {object} body
 */
export function send(path, body) {
  const headers = { 'Content-Type': 'application/json' };
  return fetch(path, { method: 'POST', headers, body: JSON.stringify(body) });
}

/** @param {any} slide */
export function showSlide({ number, title, question }) {
  document.title = `${number} ${title}`;
  setText('number', number);
  setText('title', title);
  setText('question', question);
}
