// The names of lit-html that the console uses.

export { html, render, nothing } from "./vendor/lit-html/lit-html.js";
export { repeat } from "./vendor/lit-html/directives/repeat.js";
