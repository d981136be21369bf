import { byId } from './elements.js';

/** What the page that compares may press. */
const MAY_PRESS = ['visit', 'visit-many', 'fetch-expired', 'new-session'];

/** In a frame, this page is smaller, and the buttons of the page around it press those of this page. */
export function listenToFrame() {
  if (window.parent === window) return;
  document.body.dataset.mode = 'frame';
  window.addEventListener('message', ({ origin, data }) => {
    if (new URL(origin).hostname !== location.hostname) return;
    if (MAY_PRESS.includes(data.press)) byId(data.press).click();
  });
}
