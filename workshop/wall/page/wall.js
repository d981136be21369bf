// The page of the wall: the slide and the votes, then both ways while they run, then the truth.
import { byId, make, receive, send, setContent, setText, showSlide } from './page.js';

const VIEWS = ['votes', 'figures', 'stages'];
const WAYS = /** @type {const} */ (['wrong', 'right']);
/** @type {Record<string, string>} */
const LABELS = { question: 'Run it', truth: 'Next lesson' };
const qrCode = byId('qr-code', HTMLImageElement);
const tour = byId('tour', HTMLAnchorElement);
const stages = { wrong: newStage('wrong'), right: newStage('right') };
let step = 0;
/** Whether the votes are shown before the figures. */
let hasVotes = false;
let isLast = false;

receive(`${location.pathname}/events`, (state) => {
  const { phase, slide, isPresented, asks } = state;
  if (!slide) return;
  showSlide(slide);
  setText('concepts', slide.concepts.join(' · '));
  setText('status', statusOf(state));
  hasVotes = asks.some((/** @type {any} */ ask) => ask.votes > 0);
  Object.assign(document.body.dataset, { phase, presented: isPresented });
  if (state.step !== step) setView(hasVotes ? 'votes' : 'figures');
  step = state.step;
  showVotes(state);
  for (const way of WAYS) showStage(way, state);
  showFigures(state);
  isLast = state.isLast;
  showNext();
  for (const view of VIEWS) byId(`view-${view}`).hidden = !isPresented || phase !== 'truth';
  byId('view-votes').hidden ||= asks.length === 0;
  const canVisit = WAYS.every((way) => state.ways[way].hasHeartbeats && state.ways[way].port);
  byId('visit').hidden = phase !== 'truth' || !canVisit;
});

/** @param {any} state */
function statusOf({ phase, ways, isPresented, phones, asks }) {
  if (phase === 'running') return ways.wrong.isRunning ? 'wrong …' : 'right …';
  if (phase !== 'question' || !isPresented) return '';
  const most = Math.max(0, ...asks.map((/** @type {any} */ ask) => ask.votes));
  return `phones: ${phones}, votes: ${most}`;
}

/** @param {any} state */
function showVotes({ phase, isPresented, asks, audienceUrl }) {
  const isOpen = isPresented && phase === 'question';
  byId('join').hidden = !isOpen || !audienceUrl;
  byId('closed').hidden = !isOpen || Boolean(audienceUrl);
  if (audienceUrl && !qrCode.src) qrCode.src = '/qr.svg';
  setText('address', audienceUrl ?? '');
  setContent(byId('asks'), asks.map(askItem));
}

/** @param {any} ask */
function askItem({ question, votes, bars, observed, right }) {
  const most = Math.max(1, ...bars.map((/** @type {any} */ bar) => bar.votes));
  const items = bars.map((/** @type {any} */ { label, votes: count, isTrue }) => {
    const bar = make('span', 'bar');
    bar.style.inlineSize = `${(100 * count) / most}%`;
    const mark = isTrue ? ` ✓ observed: ${observed}` : '';
    const track = make('span', 'track', [bar]);
    const item = make('li', '', [make('span', 'label', label), track]);
    item.append(make('span', 'count', `${count}${mark}`));
    item.dataset.true = String(isTrue);
    return item;
  });
  const list = make('ol', 'bars', items);
  const content = [make('h2', '', question), ...(items.length > 0 ? [list] : [])];
  if (observed !== undefined) {
    const how = typeof observed === 'number' ? ' (within 10 %)' : '';
    const isSeen = items.some((/** @type {HTMLElement} */ item) => item.dataset.true === 'true');
    const text = `${right} of ${votes} were right${how}.${isSeen ? '' : ` Observed: ${observed}`}`;
    content.push(make('p', 'summary', text));
  } else if (votes === 0) content.push(make('p', 'hint', 'No votes yet.'));
  return make('li', 'ask', content);
}

/** @param {'wrong' | 'right'} way */
function newStage(way) {
  const frame = make('iframe');
  frame.title = `The stack of the ${way} way`;
  const stage = {
    summary: make('span'),
    state: make('p', 'hint'),
  };
  const title = make('h2', '', [make('strong', way, way.toUpperCase()), stage.summary]);
  byId(way).append(title, make('div', 'frame', [frame]), stage.state);
  return { ...stage, frame };
}

/**
 * The frame shows the current deployment. While the lesson runs, its page only watches.
 *
 * @param {'wrong' | 'right'} way
 * @param {any} state
 */
function showStage(way, { ways, phase, scene }) {
  const { frame, state } = stages[way];
  const { summary, port, isRunning, hasHeartbeats, requests } = ways[way];
  const origin = port === null ? '' : `http://${location.hostname}:${port}`;
  // Another program than services/app need not count views.
  const isVisiting = phase === 'truth' && hasHeartbeats;
  const page = `${origin}/dashboard?${isVisiting ? 'visit' : 'watch'}`;
  const src = origin ? page : 'about:blank';
  if (frame.src !== src) frame.src = src;
  frame.hidden = !origin;
  byId(way).dataset.running = String(isRunning);
  stages[way].summary.textContent = summary;
  state.textContent = isRunning ? 'The stack starts …' : 'It comes next.';
  state.hidden = !frame.hidden;
  frame.contentWindow?.postMessage({ requests }, '*'); // it may show an error instead of the stack
  if (way !== 'right') return;
  tour.hidden = phase !== 'truth' || !scene || !origin;
  tour.href = `${origin}/dashboard#tour=${scene}`;
  tour.textContent = `Step ${scene} of the tour`;
}

/** @param {any} state */
function showFigures({ ways, rows, verdict }) {
  for (const way of WAYS) {
    const heading = make('th', '', [
      make('strong', way, way.toUpperCase()),
      make('span', '', ` ${ways[way].summary}`),
    ]);
    Object.assign(heading, { scope: 'rowgroup', colSpan: 3 });
    const lines = (rows?.[way] ?? []).map((/** @type {any} */ row) => {
      const observed = make(
        'td',
        row.color ?? '',
        `${row.observed}${row.holds ? '' : ' ✗ refuted'}`,
      );
      const name = make('th', '', row.name);
      name.scope = 'row';
      return make('tr', '', [name, make('td', '', row.claimed), observed]);
    });
    setContent(byId(`${way}-rows`), rows ? [make('tr', '', [heading]), ...lines] : []);
  }
  const count = WAYS.reduce((sum, way) => sum + 1 + (rows?.[way].length ?? 0), 1);
  document.body.style.setProperty('--rows', String(count));
  setText('verdict', verdict?.text ?? '');
  byId('verdict').dataset.holds = String(verdict?.holds);
}

/** @param {string} view */
function setView(view) {
  document.body.dataset.view = view;
  for (const one of VIEWS) byId(`view-${one}`).ariaPressed = String(one === view);
  showNext();
}

/** The button of the next step: after the votes come the figures, then the next lesson. */
function showNext() {
  const { phase, view, presented } = document.body.dataset;
  const labels = phase === 'truth' && view === 'votes' ? { truth: 'Show the figures' } : LABELS;
  const label = isLast && labels === LABELS && phase === 'truth' ? undefined : labels[phase ?? ''];
  byId('next').hidden = presented !== 'true' || label === undefined;
  setText('next', label ?? '');
}

function goOn() {
  const { phase, view } = document.body.dataset;
  if (phase === 'truth' && view === 'votes') setView('figures');
  else if (!byId('next').hidden) void send(`${location.pathname}/next`, { step });
}

byId('next').addEventListener('click', goOn);
for (const view of VIEWS) byId(`view-${view}`).addEventListener('click', () => setView(view));
byId('visit').addEventListener('click', () => {
  for (const { frame } of Object.values(stages)) {
    frame.contentWindow?.postMessage({ press: 'visit-many' }, '*');
  }
});
document.addEventListener('keydown', (event) => {
  const { key, target, ctrlKey, metaKey, altKey, repeat } = event;
  if (ctrlKey || metaKey || altKey || repeat) return;
  if (target instanceof Element && target.closest('button, a')) return; // the key presses that
  if ([' ', 'Enter', 'ArrowRight', 'PageDown'].includes(key)) {
    event.preventDefault();
    goOn();
  }
});
