import { byId, onClick, setText } from './elements.js';
import { logEvent } from './log.js';
import { reasonOf, request } from './request.js';

/** @import { FaultsView } from '../protocol.ts' */

const PAUSE_SECONDS = 5;

/** The controls of fault injection. */
export class FaultPanel {
  /**
   * @param {() => string} current returns the instance that answered this page last
   * @param {(text: string) => void} onDone is called with what was done
   */
  constructor(current, onDone) {
    this.current = current;
    this.onDone = onDone;
    this.key = takeKey();
    this.needsKey = false;
    this.isSetting = false;
    onClick('kill', () => this.kill());
    onClick('hang', () => this.hang());
    onClick('pause-redis', () =>
      this.ask('POST', '/dashboard/faults/redis', { seconds: PAUSE_SECONDS }),
    );
    onClick('reset-origin', () => this.ask('DELETE', '/dashboard/faults/origin'));
    for (const slider of sliders()) {
      slider.addEventListener('input', () => {
        this.isSetting = true;
        showSliders();
      });
      slider.addEventListener('change', () => this.setOrigin());
    }
  }

  /** Whether this page may inject faults. */
  get isAllowed() {
    return !this.needsKey || this.key !== null;
  }

  /** @param {FaultsView} faults */
  show({ enabled, needsKey, origin }) {
    this.needsKey = needsKey;
    byId('faults').hidden = !enabled;
    byId('faults-key').hidden = this.isAllowed;
    byId('faults-controls').hidden = !this.isAllowed;
    if (this.isSetting || origin === null) return;
    const [delay, failures] = sliders();
    delay.value = String(origin.delayMs);
    failures.value = String(origin.failurePercent);
    showSliders();
  }

  /** @returns what was done, in words */
  kill(instance = this.current()) {
    return this.ask('POST', '/dashboard/faults/kill', { instance });
  }

  hang(instance = this.current()) {
    return this.ask('POST', '/dashboard/faults/hang', { instance });
  }

  async setOrigin() {
    const [delay, failures] = sliders();
    const body = { delayMs: Number(delay.value), failurePercent: Number(failures.value) };
    await this.ask('PUT', '/dashboard/faults/origin', body);
    this.isSetting = false;
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {object} [body]
   * @returns what was done, or the reason of a failure
   */
  async ask(method, path, body) {
    const headers = this.key === null ? undefined : { Authorization: `Bearer ${this.key}` };
    const sending = { ...(body && { body }), ...(headers && { headers }) };
    const answer = await request(method, path, sending).then(({ text }) => {
      const done = inWords(path, text);
      this.onDone(done);
      return done;
    }, reasonOf);
    logEvent(answer);
    return answer;
  }
}

/** @returns {[delay: HTMLInputElement, failures: HTMLInputElement]} */
function sliders() {
  return [byId('origin-delay', HTMLInputElement), byId('origin-failures', HTMLInputElement)];
}

function showSliders() {
  const [delay, failures] = sliders();
  setText(byId('origin-delay-value'), `${delay.value} ms`);
  setText(byId('origin-failures-value'), `${failures.value} %`);
}

/**
 * Describes what was done.
 *
 * @param {string} path
 * @param {string} text the reply: JSON or empty
 */
function inWords(path, text) {
  const { instance, seconds, instances, ...switches } = JSON.parse(text || '{}');
  if (path === '/dashboard/faults/kill') return `${instance} is killed`;
  if (path === '/dashboard/faults/hang') return `${instance} hangs for 10 s`;
  if (path === '/dashboard/faults/redis') return `Redis is paused for ${seconds} s`;
  if (path === '/dashboard/stack/start') return `${instance} starts`;
  if (path === '/dashboard/stack/replace') return `${instance} is replaced`;
  if (path === '/dashboard/stack/scale') return `the stack is scaled to ${instances}`;
  if (path === '/dashboard/stack/switches') {
    const [setting = []] = Object.entries(switches);
    return `the instances restart with ${setting.join('=')}`;
  }
  return 'the origin changes soon';
}

/** The presenter's key, from the address. It is removed there, as the audience can see it. */
function takeKey() {
  const [, key] = /^#key=([\w-]+)$/.exec(location.hash) ?? [];
  if (key !== undefined) {
    sessionStorage.setItem('key', key);
    history.replaceState(null, '', location.pathname + location.search);
  }
  return sessionStorage.getItem('key');
}
