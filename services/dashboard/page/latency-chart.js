import { byId } from './elements.js';

/** @import { Overview } from '../protocol.ts' */

/** Seconds between two points, and how many there are: five minutes. */
const SECONDS = 1;
const POINTS = 300;
const HEIGHT = 220;
/** The most marks of what was done. */
const MARKS = 20;
/** The shortest time shown. */
const MIN_SECONDS = 60;

/** @type {[name: 'views' | 'hits' | 'misses', color: string, dash: number[]][]} */
const SERIES = [
  ['views', '#4a7fd6', []],
  ['hits', '#2f9e57', [6, 3]],
  ['misses', '#d0701c', [2, 3]],
];

/** The latency of the last minutes, on a logarithmic scale: a hit takes about a thousandth of a miss. */
export class LatencyChart {
  constructor() {
    /** @type {(number | null)[][]} a time in seconds, then a value of each series */
    this.columns = restore();
    /** @type {{ seconds: number, text: string }[]} what was done, such as a fault */
    this.marks = [];
    this.chart = new uPlot(
      { ...options(), hooks: { draw: [(chart) => this.drawMarks(chart)] } },
      this.data,
      byId('latency'),
    );
    const fit = () => this.chart.setSize({ width: byId('latency').clientWidth, height: HEIGHT });
    new ResizeObserver(fit).observe(byId('latency'));
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () =>
      this.chart.redraw(),
    );
    window.addEventListener('pagehide', () => {
      sessionStorage.setItem('latency', JSON.stringify(this.columns));
    });
  }

  get data() {
    return /** @type {uPlot.AlignedData} */ (this.columns);
  }

  /**
   * Marks what was done now.
   *
   * @param {string} text
   */
  mark(text) {
    this.marks = [...this.marks, { seconds: Date.now() / 1000, text }].slice(-MARKS);
    byId('latency').dataset.marks = this.marks.map((mark) => mark.text).join(', ');
    this.chart.redraw();
  }

  /** @param {uPlot} chart */
  drawMarks({ ctx, bbox, valToPos }) {
    ctx.save();
    ctx.fillStyle = getComputedStyle(document.body).color;
    ctx.font = `${12 * devicePixelRatio}px system-ui, sans-serif`;
    for (const [index, { seconds, text }] of this.marks.entries()) {
      const x = valToPos(seconds, 'x', true);
      if (x < bbox.left) continue;
      ctx.fillRect(x, bbox.top, devicePixelRatio, bbox.height);
      const isRight = x > bbox.left + bbox.width / 2;
      ctx.textAlign = isRight ? 'right' : 'left';
      const gap = 4 * devicePixelRatio;
      // Marks soon after each other are written below each other.
      const y = bbox.top + (12 + 14 * (index % 4)) * devicePixelRatio;
      ctx.fillText(text, x + (isRight ? -gap : gap), y);
    }
    ctx.restore();
  }

  /** @param {Overview} overview */
  show({ latency }) {
    const now = Math.floor(Date.now() / 1000);
    const [times = []] = this.columns;
    if (now - Number(times.at(-1) ?? 0) < SECONDS) return;
    const row = [now, ...SERIES.map(([name]) => latency[name])];
    this.columns = this.columns.map((column, i) => [...column, row[i] ?? null].slice(-POINTS));
    this.chart.setData(this.data);
    const shown = SERIES.map(([name]) => `${name} ${latency[name]?.toPrecision(2) ?? 'none'}`);
    byId('latency').ariaLabel = `99th percentile in milliseconds: ${shown.join(', ')}`;
  }
}

/** @returns {uPlot.Options} */
function options() {
  const axis = {
    stroke: () => getComputedStyle(document.body).color,
    grid: { stroke: '#8884', width: 1 },
    ticks: { stroke: '#8884', width: 1 },
  };
  return {
    width: byId('latency').clientWidth,
    height: HEIGHT,
    cursor: { show: false },
    legend: { live: false },
    scales: {
      x: {
        range: (_chart, min, max) => {
          const [first, last] = [min ?? 0, max ?? 0];
          return [Math.max(last - POINTS * SECONDS, Math.min(first, last - MIN_SECONDS)), last];
        },
      },
      y: {
        distr: 3,
        range: (_chart, min, max) => [Math.min(min ?? 0.1, 0.1), Math.max(2 * (max ?? 0), 100)],
      },
    },
    axes: [
      { ...axis, space: 90, values: (_chart, times) => times.map(timeOf) },
      {
        ...axis,
        size: 56,
        values: (_chart, ticks) => ticks.map((ms) => (isPower(ms) ? `${ms}` : '')),
      },
    ],
    series: [
      {},
      ...SERIES.map(([label, stroke, dash]) => ({
        label,
        stroke,
        dash,
        width: 2,
        spanGaps: false,
        points: { show: true, size: 4, fill: stroke },
      })),
    ],
  };
}

/**
 * The time of day, as the browser's language writes it.
 *
 * @param {number} seconds
 */
function timeOf(seconds) {
  return new Date(seconds * 1000).toLocaleTimeString();
}

/** @param {number | null} ms */
function isPower(ms) {
  return ms !== null && Number.isInteger(Math.round(Math.log10(ms) * 1e6) / 1e6);
}

/** @returns {(number | null)[][]} */
function restore() {
  const kept = sessionStorage.getItem('latency');
  return kept ? JSON.parse(kept) : [[], ...SERIES.map(() => [])];
}
