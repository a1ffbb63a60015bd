// Sparklines.

import { html } from "./lit.js";

const WIDTH = 80;
const HEIGHT = 20;

/**
 * Draw the last values of something.
 * @param {number[]} values
 * @param {string} label what they are, for screen readers
 */
export function spark(values, label) {
  const most = Math.max(...values, 1e-9);
  const step = values.length > 1 ? WIDTH / (values.length - 1) : 0;
  const points = values
    .map((value, place) => `${(place * step).toFixed(1)},${(HEIGHT - 1 - (value / most) * (HEIGHT - 2)).toFixed(1)}`)
    .join(" ");
  return html`<svg class="spark" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label=${label}
    preserveAspectRatio="none"><polyline points=${points}></polyline></svg>`;
}
