import { byId, onClick, setText } from './elements.js';
import { reasonOf } from './request.js';

/**
 * What the steps do, as the buttons of the page do it. Each resolves after the reply.
 *
 * @typedef {object} Actions
 * @property {() => Promise<void>} visit
 * @property {() => Promise<void>} visitMany
 * @property {() => Promise<void>} logIn
 * @property {() => Promise<string>} kill resolves to what was done
 * @property {() => Promise<void>} fetchExpired
 *
 * @typedef {object} Step
 * @property {string} say what happens next
 * @property {string} press the text of the button
 * @property {keyof Actions} action
 * @property {(done: unknown) => string} proof what the page shows afterwards
 */

const shown = (/** @type {string} */ id) => byId(id).textContent ?? '';

/** @type {Step[]} */
const STEPS = [
  {
    say: 'You are the browser. Send a request, and follow it to Redis and back.',
    press: 'Visit',
    action: 'visit',
    proof: () => `${shown('instance')} answered with the number from Redis. ${shown('views')}.`,
  },
  {
    say: 'Send another one. nginx hands it to the next instance, and the number goes on.',
    press: 'Visit',
    action: 'visit',
    proof: () => `${shown('instance')} answered with the number from Redis. ${shown('views')}.`,
  },
  {
    say: 'Log in. One instance receives the name, and stores it in your session in Redis.',
    press: 'Log in as Ada',
    action: 'logIn',
    proof: () => `Your session is ${shown('who')}, for all instances.`,
  },
  {
    say: 'Send 100 requests at once. All instances count.',
    press: 'Visit ×100',
    action: 'visitMany',
    proof: () => shown('trail-summary'),
  },
  {
    say: 'Kill the instance that answered last. Without fault injection: npm run stack -- kill app-2',
    press: 'Kill it',
    action: 'kill',
    proof: String,
  },
  {
    say: 'Send 100 requests. nginx passes over the dead instance, and nothing is lost.',
    press: 'Visit ×100',
    action: 'visitMany',
    proof: () => shown('trail-summary'),
  },
  {
    say: 'Remove /data from the cache, and request it 100 times at once.',
    press: 'Fetch ×100',
    action: 'fetchExpired',
    proof: () =>
      `${shown('fetch-summary')}. The cache is shared too: one request called the origin.`,
  },
];

/** The guided tour: a sentence and a button for each step. `#tour=3` in the address opens a step. */
export class Tour {
  /** @param {Actions} actions */
  constructor(actions) {
    this.actions = actions;
    this.at = 0;
    onClick('tour', async () => this.open(1));
    onClick('tour-act', () => this.act());
    onClick('tour-next', async () => this.open(this.at + 1));
    onClick('tour-end', async () => this.open(0));
    window.addEventListener('hashchange', () => this.readAddress());
    this.readAddress();
  }

  readAddress() {
    const [, step] = /^#tour=(\d+)$/.exec(location.hash) ?? [];
    if (step !== undefined) this.open(Number(step));
  }

  /** @param {number} number of the step, from 1; any other one ends the tour */
  open(number) {
    const step = STEPS[number - 1];
    this.at = step ? number : 0;
    byId('tour-step').hidden = !step;
    history.replaceState(null, '', step ? `#tour=${number}` : location.pathname + location.search);
    if (!step) return;
    setText(byId('tour-title'), `${number} of ${STEPS.length}`);
    setText(byId('tour-say'), step.say);
    setText(byId('tour-act'), step.press);
    setText(byId('tour-proof'), '');
    byId('tour-next').hidden = number === STEPS.length;
    byId('tour-act').focus();
  }

  async act() {
    const step = STEPS[this.at - 1];
    if (!step) return;
    setText(byId('tour-proof'), await this.actions[step.action]().then(step.proof, reasonOf));
    if (!byId('tour-next').hidden) byId('tour-next').focus();
  }
}
