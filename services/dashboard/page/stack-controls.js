import { numberOf } from './colors.js';
import { byId, onClick, setText } from './elements.js';
import { logEvent } from './log.js';

/** @import { Overview } from '../protocol.ts' */
/** @import { FaultPanel } from './fault-panel.js' */

/** As many as the dashboard can be told to run. */
const MAX_INSTANCES = 12;

/** Starts, replaces and scales instances, and sets switches, or says which command does it. */
export class StackControls {
  /** @param {FaultPanel} faults */
  constructor(faults) {
    this.faults = faults;
    this.hasControl = false;
    this.isLocal = false;
    /** The number of instances that the stack has, dead ones included. */
    this.count = 0;
    /** @type {string | null} */
    this.failure = null;
    onClick('scale-up', () => this.scale(this.count + 1));
    onClick('scale-down', () => this.scale(this.count - 1));
  }

  /**
   * @param {Overview} overview
   * @param {boolean} isAllowed
   */
  show({ instances, faults: { control, isLocal } }, isAllowed) {
    this.hasControl = control !== null;
    this.isLocal = isLocal;
    this.count = Math.max(0, ...instances.map(({ name }) => numberOf(name)));
    byId('scale').hidden = !isAllowed;
    setText(byId('control-busy'), control?.busy ? 'working …' : '');
    const failure = control?.failure ?? null;
    if (failure !== null && failure !== this.failure) logEvent(failure);
    this.failure = failure;
  }

  /** @param {string} instance */
  start(instance) {
    const typed = `docker start shared-state-${instance}`;
    return this.run('POST', 'start', { instance }, [`start ${instance}`, typed]);
  }

  /** @param {string} instance */
  replace(instance) {
    const typed = `docker restart shared-state-${instance}`;
    return this.run('POST', 'replace', { instance }, [`restart ${instance}`, typed]);
  }

  /** @param {number} instances */
  async scale(instances) {
    if (instances < 1 || instances > MAX_INSTANCES) return;
    const typed = `docker compose up -d --no-recreate --scale app=${instances}`;
    await this.run('POST', 'scale', { instances }, [`scale ${instances}`, typed]);
  }

  /**
   * @param {string} name
   * @param {string} value
   */
  set(name, value) {
    const setting = `${name}=${value}`;
    const typed = `${setting} docker compose up -d`;
    return this.run('PUT', 'switches', { [name]: value }, [`set ${setting}`, typed]);
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {object} body
   * @param {[local: string, inContainers: string]} commands that do the same
   */
  async run(method, path, body, [local, inContainers]) {
    if (this.hasControl) await this.faults.ask(method, `/dashboard/stack/${path}`, body);
    else logEvent(`type: ${this.isLocal ? `npm run stack -- ${local}` : inContainers}`);
  }
}
