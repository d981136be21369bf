import type { Summary } from './summary.ts';

/** Pixels. */
const WIDTH = 720;
const LEFT = 160;
const RIGHT = 130;
const TOP = 40;
const NOTE = 16;
const ROW = 34;
const BAR = 18;
const WHISKER = 8;

/** An SVG document with a bar for the median ratio of each variant, and whiskers for its range. */
export function chart(summaries: Summary[], title: string, notes: string[]): string {
  const top = TOP + notes.length * NOTE;
  const widest = Math.max(1, ...summaries.map(({ ratio }) => ratio.max));
  const x = (ratio: number) => Math.round(LEFT + (ratio / widest) * (WIDTH - LEFT - RIGHT));
  const bottom = top + summaries.length * ROW;
  const bars = summaries.map(({ name, ratio: { median, min, max } }, i) => {
    const y = top + (i + 0.5) * ROW;
    const ends = [min, max].map((end) => `M${x(end)} ${y - WHISKER / 2}v${WHISKER}`).join('');
    const value = `${median.toFixed(2)} (${min.toFixed(2)}–${max.toFixed(2)})`;
    return `  <text x="${LEFT - 10}" y="${y}" text-anchor="end">${name}</text>
  <rect x="${LEFT}" y="${y - BAR / 2}" width="${x(median) - LEFT}" height="${BAR}"/>
  <path class="range" d="M${x(min)} ${y}H${x(max)}${ends}"/>
  <text x="${x(max) + 10}" y="${y}">${value}</text>`;
  });
  const lines = notes.map(
    (note, i) => `  <text class="small" x="10" y="${TOP + i * NOTE}">${note}</text>`,
  );
  const ticks = [0, 0.25, 0.5, 0.75, 1].map(
    (tick) => `  <path class="grid" d="M${x(tick)} ${top}V${bottom}"/>
  <text class="small" x="${x(tick)}" y="${bottom + 14}" text-anchor="middle">${tick}</text>`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${bottom + 28}" width="${WIDTH}" role="img">
  <title>${title}</title>
  <style>
    text { font: 13px system-ui, sans-serif; fill: #1f2328; dominant-baseline: middle; }
    .title { font-size: 16px; font-weight: 600; }
    .small { font-size: 11px; }
    rect { fill: #54aeff; }
    .range { stroke: #1f2328; stroke-width: 1.5; fill: none; }
    .grid { stroke: #8b949e; stroke-opacity: 0.4; }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3; }
      rect { fill: #1f6feb; }
      .range { stroke: #e6edf3; }
    }
  </style>
  <text class="title" x="10" y="18">${title}</text>
${[...lines, ...ticks, ...bars].join('\n')}
</svg>
`;
}
