// The board: what the instances say, and what a visitor can do. Each panel has a module of its own.
import { ChaosPanel } from './chaos-panel.js';
import { colour } from './colours.js';
import { byId } from './elements.js';
import { Feed } from './feed.js';
import { InstancesPanel } from './instances-panel.js';
import { LatencyChart } from './latency-chart.js';
import { RoomPanel } from './room-panel.js';
import { SessionPanel } from './session-panel.js';
import { StorePanel } from './store-panel.js';
import { showSwitches } from './switches-panel.js';

/** @import { Hello, Overview, Tick } from '../messages.ts' */

const chaos = new ChaosPanel();
const instances = new InstancesPanel({
  kill: (name) => chaos.kill(name),
  hang: (name) => chaos.hang(name),
});
const store = new StorePanel();
const latency = new LatencyChart();
const room = new RoomPanel();
colour(byId('instance'), String(document.body.dataset.instance));

const feed = new Feed({
  hello: (/** @type {Hello} */ hello) => {
    showSwitches(hello.switches);
    room.begin(hello);
    show(hello);
  },
  tick: (/** @type {Tick} */ tick) => {
    room.show(tick, tick.moved, tick.left);
    show(tick);
  },
});
new SessionPanel(() => feed.reopen());

/** @param {Overview} overview */
function show(overview) {
  chaos.show(overview.chaos);
  instances.show(overview.instances, overview.chaos.enabled && chaos.isAllowed);
  store.show(overview);
  latency.show(overview);
}
