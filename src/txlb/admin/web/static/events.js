// The page of events, and rows of events for other pages.

import { html, nothing, repeat } from "./lit.js";
import { undo, undoOf } from "./changes.js";
import { date, clock } from "./format.js";

/** Kinds of events that an administrator should look at. */
const WARNINGS = new Set([
  "host-down", "host-unresolved", "group-down", "backup-used", "circuit-opened", "scheduler-failed",
  "source-down", "answer-held", "entry-skipped", "cluster-lost",
]);

/**
 * @param {import("./app.js").App} app
 * @param {import("./model.js").BalancerEvent[]} events
 */
export function eventRows(app, events) {
  if (events.length === 0) {
    return html`<p class="soft">Nothing has happened yet.</p>`;
  }
  return html`<ol class="events">${repeat(
    events,
    (event) => event.number,
    (event) => html`<li class=${WARNINGS.has(event.kind) ? "warn" : ""}>
      <time title=${date(event.time)}>${clock(event.time)}</time>
      <span class="kind">${event.kind}</span>
      <span class="what"><b>${event.key.join("/")}</b> ${event.message}${event.by ? html` <small>by ${event.by}</small>` : nothing}</span>
      ${app.may("operator") && undoOf(event) !== undefined
        ? html`<button type="button" class="small" @click=${() => undo(event)}
            aria-label=${`Undo ${event.kind} of ${event.key.join("/")}`}>Undo</button>`
        : nothing}</li>`,
  )}</ol>`;
}

export class EventsPage {
  /** @param {import("./app.js").App} app */
  constructor(app) {
    this.app = app;
    this.text = "";
  }

  title() {
    return "Events";
  }

  render() {
    const text = this.text.toLowerCase();
    const events = this.app.model.events.filter(
      (event) =>
        text === "" ||
        `${event.kind} ${event.key.join("/")} ${event.message} ${event.by}`.toLowerCase().includes(text),
    );
    return html`<h2>Events</h2>
      <div class="tools"><label class="search">Filter
        <input name="filter" type="search" placeholder="kind, host, user or text" .value=${this.text}
          @input=${(/** @type {InputEvent} */ event) => {
            this.text = /** @type {HTMLInputElement} */ (event.target).value;
            this.app.draw();
          }}></label></div>
      <div aria-live="polite">${eventRows(this.app, events.slice(0, 300))}</div>`;
  }
}
