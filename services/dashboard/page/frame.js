import { byId, setText } from './elements.js';

/** @import { InstanceRequests } from './picture.js' */

/** What the page that compares may press. */
const MAY_PRESS = ['visit', 'visit-many', 'fetch-expired', 'new-session'];

/** What the wall of a lesson wants: `watch` or `visit`. Its frames have titles of their own. */
const ofWall = window.parent === window ? '' : location.search.slice(1);

/** Whether this page only watches: it views nothing, so that it does not disturb a load. */
export const isWatching = ofWall === 'watch';

/**
 * In a frame, this page is smaller. The page around it presses its buttons, and a wall tells it which
 * instance answered how many requests.
 *
 * @param {(requests: InstanceRequests[]) => void} onRequests
 */
export function listenToFrame(onRequests) {
  if (window.parent === window) return;
  document.body.dataset.mode = 'frame';
  document.body.dataset.wall = ofWall;
  if (isWatching) setText(byId('views'), 'Lesson');
  window.addEventListener('message', ({ origin, data }) => {
    if (new URL(origin).hostname !== location.hostname) return;
    if (isWatching && data.requests) onRequests(data.requests);
    if (MAY_PRESS.includes(data.press)) byId(data.press).click();
  });
}
