// The page of a phone: the questions, its own guesses, then the truth beside them.
import { byId, make, receive, send, setText, showSlide } from './page.js';

/** @type {Record<string, string>} */
const STATUS = {
  start: 'The first question will appear here.',
  question: 'You can change your answer until the presenter goes on.',
  running: 'The voting is closed. The lesson runs …',
  truth: 'This is the truth.',
};

receive('/events', (state) => {
  const { phase, slide, asks } = state;
  if (slide) showSlide(slide);
  setText('status', asks.length > 0 || phase === 'start' ? (STATUS[phase] ?? '') : '');
  byId('asks').replaceChildren(
    ...asks.map((/** @type {any} */ ask, /** @type {number} */ i) => {
      const content = phase === 'question' ? form(ask, i, state.step) : answer(ask, phase);
      return make('li', 'ask', [make('h2', '', ask.question), ...content]);
    }),
  );
});

/**
 * The buttons, or the field, for a guess.
 *
 * @param {any} ask
 * @param {number} i
 * @param {number} step
 */
function form({ question, choices, guess }, i, step) {
  const note = make('p', 'hint');
  note.role = 'status';
  const show = (/** @type {string | number | undefined} */ own) => {
    if (own !== undefined) note.textContent = `Your guess: ${own}`;
    for (const button of buttons) button.ariaPressed = String(button.textContent === own);
  };
  const vote = async (/** @type {string | number} */ own) => {
    const reply = await send('/votes', { step, ask: i, guess: own }).catch(() => undefined);
    if (reply?.ok) return show(own);
    note.textContent = reply ? (await reply.json()).detail : 'The network is away. Try again.';
  };
  const buttons = (choices ?? []).map((/** @type {string} */ choice) => {
    const button = make('button', 'choice', choice);
    button.type = 'button';
    button.addEventListener('click', () => vote(choice));
    return button;
  });
  if (choices) {
    show(guess);
    return [make('div', 'choices', buttons), note];
  }
  const field = make('input');
  Object.assign(field, { type: 'number', min: '0', max: '1000000', step: 'any', required: true });
  Object.assign(field, { inputMode: 'decimal', value: guess ?? '', ariaLabel: question });
  const button = make('button', 'main', 'Vote');
  const own = make('form', 'number-form', [field, button]);
  own.addEventListener('submit', (event) => {
    event.preventDefault();
    void vote(field.valueAsNumber);
  });
  show(guess);
  return [own, note];
}

/**
 * The guess, and the truth once it is known.
 *
 * @param {any} ask
 * @param {string} phase
 */
function answer({ guess, observed, isRight, votes, right }, phase) {
  const own = make('p', 'own', guess === undefined ? 'You did not vote.' : `Your guess: ${guess}`);
  if (phase !== 'truth') return [own];
  if (observed === undefined) return [own, make('p', 'hint', 'The lesson did not finish.')];
  if (guess !== undefined) own.dataset.right = String(isRight);
  const truth = make('p', 'truth', `Observed: ${observed}`);
  return [own, truth, make('p', 'hint', `${right} of ${votes} were right.`)];
}
