/**
 * The element of an id, which the page has.
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
 * @param {string} [text]
 */
export function make(tag, className = '', text = '') {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
}

/**
 * Sets the text of an element, where it differs: a screen reader would read it again.
 *
 * @param {Element} element
 * @param {string} text
 */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Has a button do something, once at a time. It stays enabled, so that it keeps the focus.
 *
 * @param {string} id
 * @param {() => Promise<void>} work
 */
export function onClick(id, work) {
  onPress(byId(id, HTMLButtonElement), work);
}

/**
 * The same for a button at hand.
 *
 * @param {HTMLButtonElement} button
 * @param {() => Promise<void>} work
 */
export function onPress(button, work) {
  button.addEventListener('click', async () => {
    if (button.ariaBusy === 'true') return;
    button.ariaBusy = 'true';
    await work().finally(() => {
      button.ariaBusy = 'false';
    });
  });
}
