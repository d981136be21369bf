/** As many as board.css has colours. */
const COLOURS = 8;

/**
 * Gives an element the colour of an instance, by the number in its name.
 *
 * @param {HTMLElement} element
 * @param {string} instance
 */
export function colour(element, instance) {
  const [, number] = /(\d+)$/.exec(instance) ?? [];
  element.dataset.instance = instance;
  element.dataset.colour = String(number === undefined ? 0 : Number(number) % COLOURS);
}
