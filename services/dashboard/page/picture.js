import { color, numberOf } from './colors.js';
import { Dots } from './dots.js';
import { byId, make, onPress, setText } from './elements.js';
import { byNumber } from './instances-panel.js';
import { logEvent } from './log.js';
import { observeRequests } from './request.js';
import { readView } from './trail.js';

/** @import { InstanceView, Overview } from '../protocol.ts' */
/** @import { Dot } from './dots.js' */
/** @import { Replied, Sent } from './request.js' */

/** The width of a line in pixels, for requests a second: 1 for none, 10 for 1000. */
const widthOf = (/** @type {number} */ rate) => 1 + 3 * Math.log10(1 + rate);

/** A browser sends so many requests at a time to one host, and has the event stream besides. */
const CONNECTIONS = 5;
/** With more instances, each takes less space. */
const MANY = 6;
/** Milliseconds for which an instance shows that a request has failed there. */
const FLASH_MS = 1500;
/** The color of a request that failed. */
const FAILED = '#c4161c';
/** Of what the dashboard answers, nothing passes through an instance. */
const OWN = '/dashboard/';

/**
 * The system as a picture: the browser, nginx, the instances, Redis and the origin. Each request of
 * this page is a dot; it shows what the reply says, and nothing else.
 */
export class Picture {
  /** @param {Actions} actions */
  constructor(actions) {
    this.actions = actions;
    /** @type {Map<string, Lane>} the instances by name */
    this.lanes = new Map();
    /** @type {Map<string, string>} the names of instances by host and port */
    this.names = new Map();
    /** Whether Redis is. */
    this.isReachable = true;
    this.waiting = 0;
    /** @type {(Dot | undefined)[]} of requests that the browser has not sent yet, in turn */
    this.queue = [];
    this.dots = new Dots(byId('dots', HTMLCanvasElement));
    observeRequests((sent) => this.observe(sent));
  }

  /**
   * @param {Overview} overview
   * @param {boolean} canInject
   */
  show({ instances, redis, switches }, canInject) {
    const isShared = switches.SESSION_STORE !== 'memory';
    byId('picture').dataset.store = isShared ? 'redis' : 'memory';
    if (redis.reachable !== this.isReachable) {
      logEvent(redis.reachable ? 'Redis answers again' : 'Redis does not answer');
    }
    this.isReachable = redis.reachable;
    byId('session-card').hidden = !isShared;
    byId('no-sessions').hidden = isShared;
    const names = new Set(instances.map(({ name }) => name));
    for (const [name, lane] of this.lanes) {
      if (names.has(name) || !lane.hasHeartbeat) continue;
      lane.element.remove();
      this.lanes.delete(name);
    }
    byId('lanes').dataset.size = instances.length > MANY ? 'dense' : 'normal';
    this.names = new Map(instances.map(({ address, name }) => [address, name]));
    for (const instance of instances) this.laneOf(instance.name).show(instance, canInject);
    this.drawWires();
  }

  /** @param {(instance: string) => number} servedBy how many people an instance served last */
  showPeople(servedBy) {
    for (const lane of this.lanes.values()) lane.showPeople(servedBy(lane.name));
  }

  /**
   * Shows what nginx logged. Instances without heartbeats appear by it.
   *
   * @param {InstanceRequests[]} requests
   */
  showRequests(requests) {
    const areKnown = [...this.lanes.values()].some((lane) => lane.hasHeartbeat);
    for (const { name, answered, failed } of requests) {
      const lane = areKnown ? this.lanes.get(name) : this.laneOf(name);
      if (lane) setText(lane.requestsText, `requests: ${answered}`);
      if (lane) setText(lane.failedText, failed > 0 ? `failed: ${failed}` : '');
    }
  }

  /** @param {string} name */
  laneOf(name) {
    const known = this.lanes.get(name);
    if (known) return known;
    const lane = new Lane(name, this.actions);
    this.lanes.set(name, lane);
    const names = [...this.lanes.keys()].sort(byNumber);
    const next = this.lanes.get(names[names.indexOf(name) + 1] ?? '');
    byId('lanes').insertBefore(lane.element, next?.element ?? null);
    lane.color = getComputedStyle(lane.element).getPropertyValue('--instance');
    this.drawWires();
    return lane;
  }

  /** Draws the lines again, as instances or their rates have changed. */
  drawWires() {
    const ink = getComputedStyle(byId('dots')).color;
    /** @type {import('./dots.js').Wire[]} */
    const wires = [{ from: 'browser', to: 'nginx', color: ink, width: 1 }];
    const isStored = byId('picture').dataset.store === 'redis';
    for (const lane of this.lanes.values()) {
      const { id } = lane.element;
      const isDown = lane.state === 'dead' || lane.state === 'hung';
      const color = isDown ? FAILED : lane.color;
      const width = isDown ? 0 : widthOf(lane.rate);
      const rare = { color: ink, width: Math.min(width, 0.5) };
      const stored = isStored ? { color, width } : rare;
      wires.push(
        { from: 'nginx', to: id, color, width },
        { from: id, to: 'redis', ...(this.isReachable ? stored : { ...stored, width: 0 }) },
        { from: id, to: 'origin', ...rare },
      );
    }
    this.dots.connect(wires);
  }

  /**
   * Follows a request of this page.
   *
   * @param {Sent} sent
   */
  observe({ path }) {
    if (path.startsWith(OWN)) return () => {};
    const dot = this.dots.add('browser');
    if (this.waiting >= CONNECTIONS) this.queue.push(dot);
    else if (dot) this.dots.move(dot, 'nginx');
    this.addWaiting(1);
    return (/** @type {Replied | undefined} */ replied) => {
      this.addWaiting(-1);
      // Replies need not come in turn: this one may be of a request that seemed not to be sent yet.
      const [next] = this.queue.splice(Math.max(0, this.queue.indexOf(dot)), 1);
      if (next) this.dots.move(next, 'nginx');
      const instance = replied?.headers.get('X-Instance') ?? '';
      const lane = instance === '' ? undefined : this.laneOf(instance);
      const tried = this.triedOf(replied);
      for (const one of tried) one.fail();
      const isDone = replied !== undefined && replied.status < 400;
      const views = isDone && path === '/' ? readView(replied.text).views : undefined;
      if (lane && views !== undefined) lane.count(views);
      if (!dot) return;
      const there = lane ? [lane.element.id, ...beyond(path, replied)] : [];
      const color = isDone ? (lane?.color ?? '') : FAILED;
      const label = views ? String(views) : labelOf(replied);
      const way = { tried: tried.map(({ element }) => element.id), there };
      this.dots.finish(dot, way, { color, label, hasFailed: !isDone });
    };
  }

  /**
   * The instances that nginx tried without success.
   *
   * @param {Replied | undefined} replied
   */
  triedOf(replied) {
    const { headers } = replied ?? {};
    const tried = headers?.get('X-Upstream-Addr')?.match(/[^\s,]+:\d+/g) ?? [];
    if (headers?.has('X-Instance')) tried.pop();
    return tried.flatMap((address) => this.lanes.get(this.names.get(address) ?? '') ?? []);
  }

  /**
   * Shows a view of a participant, as the page of it has reported.
   *
   * @param {string} stop the id of its element
   * @param {string} instance
   * @param {number} views
   */
  showView(stop, instance, views) {
    const dot = this.dots.add(stop);
    if (!dot) return;
    const { element, color } = this.laneOf(instance);
    const there = ['nginx', element.id, ...beyond('/')];
    this.dots.finish(dot, { tried: [], there }, { color, label: String(views), hasFailed: false });
  }

  /** @param {number} change of the requests without a reply */
  addWaiting(change) {
    this.waiting += change;
    setText(byId('waiting'), String(this.waiting));
  }
}

/**
 * The stop after the instance. A request that waited for the call of another one (`collapsed`) found
 * its result in Redis.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9211 The Cache-Status HTTP Response Header Field
 *
 * @param {string} path
 * @param {Replied} [replied]
 */
function beyond(path, replied) {
  if (path !== '/data') return byId('picture').dataset.store === 'memory' ? [] : ['redis'];
  const found = replied?.headers.get('Cache-Status') ?? '';
  if (found.startsWith('local; hit')) return [];
  return /^redis; (hit|.*collapsed)/.test(found) ? ['redis'] : ['origin'];
}

/**
 * What a dot carries on its way back besides a number: whether the cache had the entry.
 *
 * @param {Replied | undefined} replied
 */
function labelOf(replied) {
  const cache = replied?.headers.get('X-Cache') ?? '';
  return { HIT: 'hit', MISS: 'new' }[cache] ?? '';
}

/**
 * The requests that an instance answered; `failed` with a status of 500 or above.
 * @typedef {{ name: string, answered: number, failed: number }} InstanceRequests
 */

/**
 * What the buttons of an instance do.
 * @typedef {Record<'kill' | 'hang' | 'start' | 'replace', (name: string) => Promise<unknown>>} Actions
 */

/** An instance in the picture. */
class Lane {
  /**
   * @param {string} name
   * @param {Actions} actions
   */
  constructor(name, actions) {
    /** Whether the dashboard knows it: services/minimal sends no heartbeats. */
    this.hasHeartbeat = false;
    this.name = name;
    this.state = '';
    this.rate = 0;
    /** As dashboard.css has it. */
    this.color = '';
    this.counted = 0;
    /** Requests that nginx passed on to another instance. */
    this.failed = 0;
    this.element = make('li', 'node lane-node');
    this.element.id = `lane-${name}`;
    this.element.dataset.name = name;
    color(this.element, name);
    const number = make('span', 'number', String(numberOf(name) || ''));
    this.stateText = make('span', 'state');
    this.countText = make('span', '', '0');
    const count = make('span', 'counted');
    count.append(make('span', 'label', 'your views: '), this.countText);
    this.peopleText = make('span', 'counted');
    this.requestsText = make('span', 'requests');
    this.failedText = make('span', 'failure');
    this.memory = make('span', 'memory-card');
    this.memory.hidden = true;
    this.buttons = make('span', 'buttons');
    this.startButton = this.addButton('Start', actions.start);
    this.onlyAlive = [
      this.addButton('Kill', actions.kill),
      this.addButton('Hang', actions.hang),
      this.addButton('Replace', actions.replace),
    ];
    const title = make('strong', '', name);
    this.element.append(number, title, this.stateText, count, this.peopleText, this.memory);
    this.element.append(this.requestsText, this.failedText, this.buttons);
  }

  /**
   * @param {string} word
   * @param {(name: string) => Promise<unknown>} work
   */
  addButton(word, work) {
    const button = make('button', word.toLowerCase(), word);
    button.type = 'button';
    button.ariaLabel = `${word} ${this.name}`;
    onPress(button, () => work(this.name));
    this.buttons.append(button);
    return button;
  }

  /**
   * @param {InstanceView} instance
   * @param {boolean} canInject
   */
  show({ state, requestsPerSecond }, canInject) {
    this.hasHeartbeat = true;
    if (this.state !== '' && this.state !== state) logEvent(`${this.name}: ${state}`);
    this.state = state;
    this.rate = requestsPerSecond;
    this.element.dataset.state = state;
    setText(this.stateText, state === 'ready' ? '' : state);
    this.buttons.hidden = !canInject;
    this.startButton.hidden = state !== 'dead';
    for (const button of this.onlyAlive) button.hidden = state === 'dead';
    this.memory.hidden = byId('picture').dataset.store !== 'memory';
  }

  /** Shows that a request had to turn round here. */
  fail() {
    this.failed += 1;
    this.element.dataset.failed = String(this.failed);
    this.element.animate({ outlineColor: [FAILED, 'transparent'] }, FLASH_MS);
  }

  /** @param {number} people of the audience */
  showPeople(people) {
    setText(this.peopleText, people > 0 ? `people: ${people}` : '');
  }

  /**
   * Adds a view of this page.
   *
   * @param {number} views the number that this instance replied with
   */
  count(views) {
    this.counted += 1;
    this.element.dataset.counted = String(this.counted);
    setText(this.countText, String(this.counted));
    setText(this.memory, `your session here: ${views}`);
  }
}
