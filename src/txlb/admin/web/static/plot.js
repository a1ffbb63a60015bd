// Plots of the last hour, by uPlot.

import { bytes, clock, milliseconds, number } from "./format.js";

/** @type {any} */
const uPlot = /** @type {any} */ (globalThis).uPlot;

/**
 * @typedef {object} Line
 * @property {string} name the name of the value in a point
 * @property {string} label
 * @property {string} color the name of a property of the style sheet
 * @property {(value: number) => string} shown
 */

/** @type {{ title: string, lines: Line[] }[]} */
export const PLOTS = [
  { title: "Connections open", lines: [{ name: "active", label: "open", color: "--line-1", shown: number }] },
  {
    title: "New connections a second",
    lines: [
      { name: "rate", label: "new", color: "--line-1", shown: number },
      { name: "failures", label: "failed", color: "--line-2", shown: number },
    ],
  },
  {
    title: "Bytes a second",
    lines: [
      { name: "outRate", label: "to clients", color: "--line-1", shown: bytes },
      { name: "inRate", label: "to hosts", color: "--line-3", shown: bytes },
    ],
  },
  {
    title: "Time to connect",
    lines: [{ name: "connectTime", label: "time", color: "--line-1", shown: milliseconds }],
  },
  { title: "Weight", lines: [{ name: "weight", label: "weight", color: "--line-3", shown: number }] },
];

/**
 * Draw plots of points into an element, or give those that it has new points.
 * @param {HTMLElement} place
 * @param {any[]} points
 */
export function drawPlots(place, points) {
  const times = points.map((point) => point.time);
  const wanted = PLOTS.filter((plot) => points.some((point) => point[plot.lines[0].name] !== null));
  const held = /** @type {any} */ (place);
  // With the colors, as they change with the theme.
  const names = [...wanted.map((plot) => plot.title), color("--ink")].join();
  const whole = place.clientWidth || 600;
  // Two beside each other, with a gap of 16 pixels, where there is room.
  const width = Math.max(260, Math.min(whole > 700 ? Math.floor((whole - 16) / 2) : whole, 760));
  if (held.drawn !== names || held.width !== width) {
    place.replaceChildren();
    held.drawn = names;
    held.width = width;
    held.plots = wanted.map((plot) => made(place, plot, width));
  }
  wanted.forEach((plot, index) => {
    held.plots[index].setData([times, ...plot.lines.map((line) => points.map((point) => point[line.name]))]);
  });
}

/**
 * The color of a property of the style sheet, dark or light.
 * @param {string} name
 */
function color(name) {
  const probe = document.createElement("i");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

/**
 * @param {HTMLElement} place
 * @param {{ title: string, lines: Line[] }} plot
 * @param {number} width
 */
function made(place, plot, width) {
  const figure = document.createElement("figure");
  const caption = document.createElement("figcaption");
  caption.textContent = plot.title;
  figure.append(caption);
  place.append(figure);
  const axis = { stroke: color("--soft"), grid: { stroke: color("--rule"), width: 1 }, ticks: { stroke: color("--rule") } };
  return new uPlot(
    {
      width,
      height: 150,
      // The last time stands on its tick, half of it beyond the plot.
      padding: [null, 36, null, null],
      cursor: { y: false },
      legend: { live: true },
      scales: { y: { range: (/** @type {any} */ _, /** @type {number} */ low, /** @type {number} */ high) => [0, Math.max(high, low, 1e-6) * 1.1] } },
      axes: [
        { ...axis, space: 90, values: (/** @type {any} */ _, /** @type {number[]} */ times) => times.map(clock) },
        { ...axis, size: 64, values: (/** @type {any} */ _, /** @type {number[]} */ values) => values.map(plot.lines[0].shown) },
      ],
      series: [
        { label: "time" },
        ...plot.lines.map((line) => ({
          label: line.label,
          stroke: color(line.color),
          width: 1.5,
          points: { show: false },
          value: (/** @type {any} */ _, /** @type {number | null} */ value) => (value === null ? "–" : line.shown(value)),
        })),
      ],
    },
    [[], ...plot.lines.map(() => [])],
    figure,
  );
}
