import { byId, onClick, setText } from './elements.js';
import { reasonOf, request } from './request.js';

/** @import { ChaosView } from '../messages.ts' */

const PAUSE_SECONDS = 5;

/** What breaks things on purpose. */
export class ChaosPanel {
  constructor() {
    this.key = takeKey();
    this.needsKey = false;
    this.isSetting = false;
    onClick('kill', () => this.kill());
    onClick('hang', () => this.hang());
    onClick('pause-redis', () => this.ask('POST', '/chaos/redis', { seconds: PAUSE_SECONDS }));
    onClick('reset-origin', () => this.ask('DELETE', '/chaos/origin'));
    for (const slider of sliders()) {
      slider.addEventListener('input', () => {
        this.isSetting = true;
        showSliders();
      });
      slider.addEventListener('change', () => this.setOrigin());
    }
  }

  /** Whether this page may break anything. */
  get isAllowed() {
    return !this.needsKey || this.key !== null;
  }

  /** @param {ChaosView} chaos */
  show({ enabled, needsKey, origin }) {
    this.needsKey = needsKey;
    byId('chaos').hidden = !enabled;
    byId('chaos-key').hidden = this.isAllowed;
    byId('chaos-controls').hidden = !this.isAllowed;
    if (this.isSetting) return;
    const [delay, failures] = sliders();
    delay.value = String(origin.delayMs);
    failures.value = String(origin.failurePercent);
    showSliders();
  }

  /** @param {string} [instance] the one that answers, if none is given */
  async kill(instance) {
    await this.ask('POST', '/chaos/kill', instance ? { instance } : {});
  }

  /** @param {string} [instance] */
  async hang(instance) {
    await this.ask('POST', '/chaos/hang', instance ? { instance } : {});
  }

  async setOrigin() {
    const [delay, failures] = sliders();
    const body = { delayMs: Number(delay.value), failurePercent: Number(failures.value) };
    await this.ask('PUT', '/chaos/origin', body);
    this.isSetting = false;
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {object} [body]
   */
  async ask(method, path, body) {
    const headers = this.key === null ? undefined : { Authorization: `Bearer ${this.key}` };
    const sending = { ...(body && { body }), ...(headers && { headers }) };
    const answer = await request(method, path, sending).then(
      ({ text }) => said(path, text),
      reasonOf,
    );
    setText(byId('chaos-answer'), answer);
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
 * What was done, in words.
 *
 * @param {string} path
 * @param {string} text JSON, or nothing
 */
function said(path, text) {
  const { instance, seconds } = JSON.parse(text || '{}');
  if (path === '/chaos/kill') return `${instance} is killed`;
  if (path === '/chaos/hang') return `${instance} hangs for 10 s`;
  if (path === '/chaos/redis') return `Redis is paused for ${seconds} s`;
  return 'the origin is told';
}

/** The presenter's key, from the address; it does not stay there for the room to see. */
function takeKey() {
  const [, key] = /^#key=([\w-]+)$/.exec(location.hash) ?? [];
  if (key !== undefined) {
    sessionStorage.setItem('key', key);
    history.replaceState(null, '', location.pathname + location.search);
  }
  return sessionStorage.getItem('key');
}
