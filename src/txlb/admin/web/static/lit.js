// The names of lit-html that the console uses, with types.

import { repeat as litRepeat } from "./vendor/lit-html/directives/repeat.js";

export { html, render, nothing } from "./vendor/lit-html/lit-html.js";

/**
 * Draw items, each in the element that it had before.
 * @template Item
 * @param {Item[]} items
 * @param {(item: Item) => string | number} key
 * @param {(item: Item) => any} draw
 * @returns {any}
 */
export function repeat(items, key, draw) {
  return litRepeat(items, key, draw);
}
