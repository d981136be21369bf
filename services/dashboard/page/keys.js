import { byId, make } from './elements.js';

/** @type {[key: string, label: string, what: string, button: string][]} */
const KEYS = [
  [' ', 'Space', 'one visit', 'visit'],
  ['b', 'B', '100 visits at once', 'visit-many'],
  ['f', 'F', '100 requests for /data at once', 'fetch-many'],
  ['i', 'I', 'invalidate /data', 'invalidate'],
  ['k', 'K', 'kill the instance that answered last', 'kill'],
  ['h', 'H', 'let it hang for 10 s', 'hang'],
  ['r', 'R', 'pause Redis for 5 s', 'pause-redis'],
  ['+', '+', 'one instance more', 'scale-up'],
  ['-', '−', 'one instance less', 'scale-down'],
  ['p', 'P', 'presenter mode', 'presenter'],
  ['d', 'D', 'details', 'show-details'],
  ['?', '?', 'this list', 'show-keys'],
];

/** The keys of a presenter press buttons, and the presenter mode shows the picture alone. */
export function listenForKeys() {
  const rows = KEYS.map(([, label, what]) => {
    const row = make('div');
    row.append(make('dt', '', label), make('dd', '', what));
    return row;
  });
  byId('key-list').append(...rows);
  byId('show-keys').addEventListener('click', () => byId('keys', HTMLDialogElement).showModal());
  byId('presenter').addEventListener('click', () => {
    setPresenterMode(document.body.dataset.mode !== 'presenter');
  });
  setPresenterMode(sessionStorage.getItem('mode') === 'presenter');
  byId('show-details').addEventListener('click', () => {
    showDetails(document.body.dataset.details !== 'shown');
  });
  showDetails(location.hash === '#details' || sessionStorage.getItem('details') === 'shown');
  document.addEventListener('keydown', (event) => {
    const { key, target, ctrlKey, metaKey, altKey, repeat } = event;
    if (ctrlKey || metaKey || altKey || repeat) return;
    const takesIt = key === ' ' ? 'dialog, input, button, a' : 'dialog, input';
    if (target instanceof Element && target.closest(takesIt)) return;
    const [, , , id] = KEYS.find(([one]) => one === key.toLowerCase()) ?? [];
    // Presenter mode hides buttons by a style. A button that is not allowed has `hidden`.
    if (id === undefined || byId(id).closest('[hidden]')) return;
    event.preventDefault();
    byId(id).click();
  });
}

/**
 * Shows the panels for engineers below the picture. `#details` in the address opens them too.
 *
 * @param {boolean} isShown
 */
function showDetails(isShown) {
  document.body.dataset.details = isShown ? 'shown' : 'hidden';
  byId('show-details').ariaPressed = String(isShown);
  sessionStorage.setItem('details', isShown ? 'shown' : 'hidden');
  if (isShown) setPresenterMode(false);
}

/** @param {boolean} isOn */
function setPresenterMode(isOn) {
  document.body.dataset.mode = isOn ? 'presenter' : 'full';
  byId('presenter').ariaPressed = String(isOn);
  sessionStorage.setItem('mode', isOn ? 'presenter' : 'full');
}
