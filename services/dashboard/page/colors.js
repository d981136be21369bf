/** As many as dashboard.css has. */
const COLORS = 8;

/**
 * Colors an element by the number in the name of an instance.
 *
 * @param {HTMLElement} element
 * @param {string} instance
 */
export function color(element, instance) {
  const [, number] = /(\d+)$/.exec(instance) ?? [];
  element.dataset.instance = instance;
  element.dataset.color = String(number === undefined ? 0 : Number(number) % COLORS);
}
