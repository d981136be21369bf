// The page of a seat. The server sends all that it shows whenever something has changed.

/** @param {string} id */
const element = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** @type {EventSource | undefined} */
let events;

/** Connects again after the seat has changed, because the cookie is read at the start. */
function connect() {
  events?.close();
  events = new EventSource('/events');
  events.onopen = () => showConnection('live');
  events.onerror = () => {
    showConnection('no connection');
    if (events?.readyState === EventSource.CLOSED) setTimeout(connect, 2000);
  };
  events.onmessage = ({ data }) => show(JSON.parse(data));
}

/** @param {string} text */
function showConnection(text) {
  element('connection').textContent = text;
  element('connection').dataset.live = String(text === 'live');
}

/**
 * @typedef {object} Seat
 * @property {number} number
 * @property {string} [job]
 * @property {'idle' | 'waiting' | 'starting' | 'running' | 'ending'} state
 * @property {number} place in the queue
 * @property {{port: number, key: string}} [address] of the stack
 * @property {number} memoryMb
 * @property {number} limitMb
 * @property {string} output
 */

/** @param {{seats: number, taken: number, running: number, waiting: number, atOnce: number, publicUrl?: string, seat?: Seat}} view */
function show({ seats, taken, running, waiting, atOnce, publicUrl, seat }) {
  for (const id of ['seat', 'lessons']) element(id).hidden = !seat;
  element('free').hidden = Boolean(seat);
  if (!seat) element('predict').hidden = true;
  element('title').textContent = seat ? `Seat ${seat.number}` : 'Seats';
  element('public-url').textContent = publicUrl ?? location.origin;
  const use = `${running} run something now (at most ${atOnce}), ${waiting} wait.`;
  element('room').textContent = `${taken} of ${seats} seats are taken; ${use}`;
  if (!seat) return;
  const { state, address, memoryMb, limitMb, output } = seat;
  element('status').textContent = statusOf(seat);
  element('memory').textContent = memoryMb
    ? `Memory: ${memoryMb} of ${limitMb} MB`
    : `Your seat has ${limitMb} MB of memory.`;
  element('stop').hidden = state === 'idle';
  element('start').hidden = seat.job === 'stack';
  const link = /** @type {HTMLAnchorElement} */ (element('open'));
  link.hidden = !address;
  if (address) {
    link.href = `${location.protocol}//${location.hostname}:${address.port}/#key=${address.key}`;
  }
  const log = element('output');
  log.tabIndex = 0; // so that keys can scroll it
  if (log.textContent === output) return;
  log.textContent = output;
  log.scrollTop = log.scrollHeight;
}

/** @param {Seat} seat */
function statusOf({ job, state, place }) {
  const name = job === 'stack' ? 'Your stack' : `The lesson ${job}`;
  if (state === 'waiting') {
    return place ? `You are number ${place} in the queue.` : `${name} starts soon.`;
  }
  const states = { starting: 'starts', running: 'is running', ending: 'ends' };
  return state === 'idle' ? 'Nothing is running.' : `${name} ${states[state]}.`;
}

/**
 * Sends a change, for example `POST /seat/run`.
 *
 * @param {DOMStringMap} change
 */
async function send({ send: request = '', job }) {
  const [method, path = ''] = request.split(' ');
  const json = { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ job }) };
  const reply = await fetch(path, { method, ...(job && json) }).catch(() => undefined);
  const failure = element('failure');
  failure.hidden = reply?.ok === true;
  if (!reply) failure.textContent = 'The presenter’s machine does not answer. Try again.';
  else if (!reply.ok) failure.textContent = (await reply.json()).detail;
  if (path === '/seat') connect();
  else element('seat').scrollIntoView();
}

/**
 * Asks for predictions, then runs a lesson. The guesses stay on this page.
 *
 * @param {string} job the name of the lesson
 * @param {{question: string, choices?: string[]}[]} asks
 */
function predict(job, asks) {
  const form = /** @type {HTMLFormElement} */ (document.querySelector('#predict form'));
  const fields = asks.map(({ question, choices }) => {
    const field = document.createElement(choices ? 'select' : 'input');
    if (field instanceof HTMLInputElement) Object.assign(field, { type: 'number', step: 'any' });
    else field.append(...['', ...(choices ?? [])].map((choice) => new Option(choice)));
    const label = document.createElement('label');
    label.append(question, field);
    return { question, field, label };
  });
  element('questions').replaceChildren(...fields.map(({ label }) => label));
  element('predict').hidden = false;
  element('predict').scrollIntoView();
  fields[0]?.field.focus();
  form.onsubmit = (event) => {
    event.preventDefault();
    element('predict').hidden = true;
    const guesses = fields.filter(({ field }) => field.value);
    const items = guesses.map(({ question, field: { value } }) => {
      const item = document.createElement('li');
      item.textContent = `${question} Your guess: ${value}`;
      return item;
    });
    element('guesses').replaceChildren(...items);
    void send({ send: 'POST /seat/run', job });
  };
}

async function listLessons() {
  const reply = await fetch('/lessons');
  for (const { number, name, question, asks } of await reply.json()) {
    const item = document.createElement('li');
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = 'Run';
    button.setAttribute('aria-label', `Run ${number} ${name}`);
    button.addEventListener('click', () => predict(name, asks));
    const text = document.createElement('p');
    const link = document.createElement('a');
    Object.assign(link, { href: `/lessons/${name}`, target: '_blank' });
    link.textContent = `${number} ${name}`;
    text.append(link, document.createElement('br'), question);
    item.append(button, text);
    element('list').append(item);
  }
}

document.addEventListener('click', ({ target }) => {
  if (target instanceof HTMLElement && target.dataset.send) void send(target.dataset);
});
connect();
await listLessons();
