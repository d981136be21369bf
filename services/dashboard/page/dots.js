/**
 * A stop on the way of a dot: the id of an element of the picture.
 * @typedef {string} Stop
 *
 * A line between two stops. Its width is in pixels; 0 is a dashed line: nothing passes.
 * @typedef {{ from: Stop, to: Stop, color: string, width: number }} Wire
 *
 * @typedef {object} Dot
 * @property {Stop[]} way the stops that are known so far
 * @property {number} leg how many stops it has passed
 * @property {number} at the share of the current leg that lies behind it, from 0 to 1
 * @property {boolean} isBack whether its way is complete: its request has ended
 * @property {number} turn the stop from which it carries its result back
 * @property {string} color
 * @property {string} label what it carries on its way back
 * @property {boolean} hasFailed
 * @property {number} lane a distance from the line in pixels, so that many can be told apart
 */

/** Milliseconds for the way between two stops. A real request is too fast to be seen. */
const LEG_MS = 260;
/** With more dots, the rest is shown as numbers only. */
const MAX_DOTS = 400;
/** The radius of a dot with a number, and without one, in font sizes of the canvas. */
const LARGE = 0.95;
const SMALL = 0.4;
/** The most dots in a row that waits. */
const ROW = 10;

/**
 * Draws requests as dots that travel between the elements of the picture, on a canvas over it.
 * A dot waits at the last stop that it knows until its request has ended.
 */
export class Dots {
  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.canvas = canvas;
    /** @type {Wire[]} */
    this.wires = [];
    this.context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
    /** The lines, drawn once until the picture changes. */
    this.lines = document.createElement('canvas');
    /** @type {Set<Dot>} */
    this.dots = new Set();
    /** How many dots were sent. */
    this.sent = 0;
    /** @type {Map<Stop, { x: number, y: number, bottom: number }>} until the picture changes */
    this.places = new Map();
    this.lastFrame = 0;
    this.size = 16;
    this.ink = '';
    this.isRunning = false;
    this.isStill = matchMedia('(prefers-reduced-motion: reduce)');
    new ResizeObserver(() => this.fit()).observe(canvas);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.redraw());
  }

  /**
   * Adds a dot at a stop.
   *
   * @param {Stop} stop
   * @returns {Dot | undefined} none if there are too many, or if nothing may move
   */
  add(stop) {
    if (this.isStill.matches || document.hidden || this.dots.size >= MAX_DOTS) return undefined;
    const lane = ((this.dots.size % 5) - 2) * 5;
    const known = { way: [stop], leg: 0, at: 0, isBack: false, turn: Infinity, lane };
    /** @type {Dot} */
    const dot = { ...known, color: '', label: '', hasFailed: false };
    this.dots.add(dot);
    this.sent += 1;
    this.canvas.dataset.sent = String(this.sent);
    this.run();
    return dot;
  }

  /**
   * Sends a dot to another stop.
   *
   * @param {Dot} dot
   * @param {Stop} stop
   */
  move(dot, stop) {
    dot.way.push(stop);
  }

  /**
   * Tells a dot the rest of its way. At the last stop it disappears.
   *
   * @param {Dot} dot
   * @param {{ tried: Stop[], there: Stop[] }} rest `tried`: the stops from which it came back;
   * `there`: the further stops, up to the last one before the way back
   * @param {{ color: string, label: string, hasFailed: boolean }} result
   */
  finish(dot, { tried, there }, result) {
    const from = dot.way.at(-1) ?? '';
    const detours = tried.flatMap((stop) => [stop, from]);
    const out = [...dot.way, ...detours, ...there];
    const back = [...dot.way, ...there].reverse().slice(1);
    dot.turn = out.length - 1;
    dot.way = [...out, ...back];
    dot.isBack = true;
    Object.assign(dot, result);
    this.canvas.dataset.way = out.join(' ');
  }

  /** @param {Wire[]} wires the lines from now on */
  connect(wires) {
    this.wires = wires;
    this.redraw();
  }

  /** Draws again, as the picture has changed. */
  redraw() {
    this.places.clear();
    const { fontSize, color } = getComputedStyle(this.canvas);
    this.size = Number.parseFloat(fontSize);
    this.ink = color;
    this.run();
  }

  run() {
    if (this.isRunning) return;
    this.isRunning = true;
    this.lastFrame = performance.now();
    requestAnimationFrame((now) => this.draw(now));
  }

  /** @param {number} now */
  draw(now) {
    const step = Math.max(0, now - this.lastFrame) / LEG_MS;
    this.lastFrame = now;
    if (this.places.size === 0) this.drawWires();
    const { context } = this;
    context.save();
    context.resetTransform();
    context.globalCompositeOperation = 'copy';
    context.drawImage(this.lines, 0, 0);
    context.restore();
    /** @type {Map<Stop, number>} */
    const waiting = new Map();
    for (const dot of this.dots) {
      dot.at += step;
      while (dot.at >= 1 && dot.leg < dot.way.length - 1) {
        dot.leg += 1;
        dot.at -= 1;
      }
      const hasArrived = dot.leg === dot.way.length - 1;
      if (hasArrived) dot.at = 0;
      if (hasArrived && dot.isBack) this.dots.delete(dot);
      else this.drawDot(dot, waiting);
    }
    if (this.dots.size > 0) requestAnimationFrame((next) => this.draw(next));
    else this.isRunning = false;
  }

  /** Gives the canvas a pixel for each pixel of the screen; a canvas without any cannot be copied. */
  fit() {
    const { canvas } = this;
    canvas.width = Math.max(1, Math.round(canvas.clientWidth * devicePixelRatio));
    canvas.height = Math.max(1, Math.round(canvas.clientHeight * devicePixelRatio));
    this.context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    this.redraw();
  }

  /**
   * The center of a stop on the canvas, and its lower edge.
   *
   * @param {Stop} stop
   */
  place(stop) {
    const known = this.places.get(stop);
    if (known) return known;
    const { left, top } = this.canvas.getBoundingClientRect();
    const box = (document.getElementById(stop) ?? this.canvas).getBoundingClientRect();
    const [x, y] = [box.left + box.width / 2 - left, box.top + box.height / 2 - top];
    const place = { x, y, bottom: box.bottom - top };
    this.places.set(stop, place);
    return place;
  }

  drawWires() {
    const { canvas, lines, wires } = this;
    lines.width = canvas.width;
    lines.height = canvas.height;
    const context = /** @type {CanvasRenderingContext2D} */ (lines.getContext('2d'));
    context.setTransform(this.context.getTransform());
    context.globalAlpha = 0.5;
    for (const { from, to, color, width } of wires) {
      const [a, b] = [this.place(from), this.place(to)];
      context.beginPath();
      context.setLineDash(width === 0 ? [4, 6] : []);
      context.lineWidth = Math.max(1.5, width);
      context.strokeStyle = color;
      context.moveTo(a.x, a.y);
      context.lineTo(b.x, b.y);
      context.stroke();
    }
  }

  /**
   * @param {Dot} dot
   * @param {Map<Stop, number>} waiting how many dots wait at a stop so far
   */
  drawDot(dot, waiting) {
    const { context } = this;
    const { way, leg, at, color, label, hasFailed, turn, lane } = dot;
    const [from = '', to] = [way[leg], way[leg + 1]];
    const a = this.place(from);
    const b = to === undefined ? a : this.place(to);
    const radius = this.size * (leg >= turn ? LARGE : SMALL);
    let [x, y] = [a.x + (b.x - a.x) * at, a.y + (b.y - a.y) * at + lane];
    if (to === undefined) {
      const before = waiting.get(from) ?? 0;
      waiting.set(from, before + 1);
      x = a.x + ((before % ROW) - ROW / 2 + 0.5) * 2.2 * radius;
      y = a.bottom + (1 + Math.floor(before / ROW)) * 2.2 * radius;
    }
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.fillStyle = color || this.ink;
    context.fill();
    if (leg < turn) return;
    const text = hasFailed ? '✕' : label;
    context.fillStyle = '#fff';
    context.font = `bold ${this.size * (text.length > 3 ? 0.6 : 0.85)}px system-ui, sans-serif`;
    context.textAlign = 'center';
    context.textBaseline = 'middle';
    context.fillText(text, x, y);
  }
}
