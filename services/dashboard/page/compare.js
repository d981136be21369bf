// The page that compares two stacks: each shows its own page in a frame, and both get the same clicks.
import { byId } from './elements.js';

const [right = '', wrong = ''] = (document.body.dataset.ports ?? '').split(',');
/** @type {[frame: HTMLIFrameElement, origin: string][]} */
const frames = [
  [byId('wrong', HTMLIFrameElement), `${location.protocol}//${location.hostname}:${wrong}`],
  [byId('right', HTMLIFrameElement), `${location.protocol}//${location.hostname}:${right}`],
];
for (const [frame, origin] of frames) frame.src = `${origin}/`;

document.body.addEventListener('click', ({ target }) => {
  const press = target instanceof HTMLElement && target.dataset.press;
  if (!press) return;
  for (const [frame, origin] of frames) frame.contentWindow?.postMessage({ press }, origin);
});
