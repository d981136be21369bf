/** As many as dashboard.css has. */
const COLORS = 12;

/**
 * Colors an element by the number in the name of an instance.
 *
 * @param {HTMLElement} element
 * @param {string} instance
 */
export function color(element, instance) {
  const number = numberOf(instance);
  element.dataset.instance = instance;
  element.dataset.color = String(number === 0 ? 0 : ((number - 1) % COLORS) + 1);
}

/**
 * The number in the name of an instance, which tells it apart without its color; 0 if there is none.
 *
 * @param {string} instance
 */
export function numberOf(instance) {
  return Number(/(\d+)$/.exec(instance)?.[1] ?? 0);
}
