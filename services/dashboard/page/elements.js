/**
 * The element with an id that index.html has.
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
 * Sets the text of an element. An equal text is not set again, as a screen reader would read it.
 *
 * @param {Element} element
 * @param {string} text
 */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Handles the clicks on a button, one at a time. The button stays enabled to keep the focus.
 *
 * @param {string} id
 * @param {() => Promise<unknown>} work
 */
export function onClick(id, work) {
  onPress(byId(id, HTMLButtonElement), work);
}

/**
 * The same for an element.
 *
 * @param {HTMLButtonElement} button
 * @param {() => Promise<unknown>} work
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
