// The page: each panel has a module of its own.
import { Audience } from './audience.js';
import { byId } from './elements.js';
import { EventStream } from './event-stream.js';
import { FaultPanel } from './fault-panel.js';
import { isWatching, listenToFrame } from './frame.js';
import { InstancesPanel } from './instances-panel.js';
import { listenForKeys } from './keys.js';
import { LatencyChart } from './latency-chart.js';
import { Picture } from './picture.js';
import { SessionPanel } from './session-panel.js';
import { StackControls } from './stack-controls.js';
import { StorePanel } from './store-panel.js';
import { SwitchesPanel } from './switches-panel.js';
import { Tour } from './tour.js';

/** @import { Hello, Overview, Tick } from '../protocol.ts' */

// A page that the browser only prepares is not viewed yet.
if (/** @type {any} */ (document).prerendering) {
  await new Promise((resolve) => {
    document.addEventListener('prerenderingchange', resolve, { once: true });
  });
}

const latency = new LatencyChart();
const faults = new FaultPanel(
  () => String(byId('instance').textContent),
  (done) => latency.mark(done),
);
const controls = new StackControls(faults);
const picture = new Picture({
  kill: (name) => faults.kill(name),
  hang: (name) => faults.hang(name),
  start: (name) => controls.start(name),
  replace: (name) => controls.replace(name),
});
const instances = new InstancesPanel();
const store = new StorePanel();
const switches = new SwitchesPanel((name, value) => controls.set(name, value));
const audience = new Audience((id, instance, views) => picture.showView(id, instance, views));
const session = new SessionPanel(() => events?.open());
/** @type {EventStream | undefined} */
let events;
listenForKeys();
listenToFrame((requests) => picture.showRequests(requests));
new Tour({
  visit: () => session.visit(),
  visitMany: () => session.visitMany(),
  logIn: () => session.logIn('Ada'),
  kill: () => faults.kill(),
  fetchExpired: () => store.fetchExpired(),
});
if (!isWatching) await session.start(); // it gives a new visitor the cookie by which the audience knows the page
events = new EventStream({
  hello: (/** @type {Hello} */ hello) => {
    audience.begin(hello);
    session.reportAgain();
    show(hello);
  },
  tick: (/** @type {Tick} */ tick) => {
    audience.show(tick, tick.moved, tick.left);
    show(tick);
  },
});

/** @param {Overview} overview */
function show(overview) {
  faults.show(overview.faults);
  const canInject = overview.faults.enabled && faults.isAllowed;
  controls.show(overview, canInject);
  picture.show(overview, canInject);
  picture.showPeople((name) => audience.servedBy(name));
  instances.show(overview.instances);
  store.show(overview);
  latency.show(overview);
  switches.show(overview, canInject);
  session.learn(overview.switches);
  if (overview.redis.reachable) void session.retry();
}
