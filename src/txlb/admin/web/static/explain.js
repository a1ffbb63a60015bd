// The page that tells which host a client would get.

import { html, nothing } from "./lit.js";
import { get, pathOf } from "./api.js";
import { number } from "./format.js";
import { stateClass, stateSign } from "./states.js";

export class ExplainPage {
  /** @param {import("./app.js").App} app */
  constructor(app) {
    this.app = app;
    this.service = "";
    this.client = "";
    /** @type {any[]} */
    this.rows = [];
    this.problem = "";
    this._asked = 0;
  }

  title() {
    return "Explain";
  }

  /** @param {SubmitEvent} event */
  async _ask(event) {
    event.preventDefault();
    const given = new FormData(/** @type {HTMLFormElement} */ (event.target));
    this.service = String(given.get("service"));
    this.client = String(given.get("client")).trim();
    const query = this.client === "" ? "" : `?${new URLSearchParams({ clientAddr: this.client })}`;
    this._asked += 1;
    const asked = this._asked;
    try {
      const told = await get(`${pathOf(this.service)}/explain${query}`);
      // An answer that comes after that to a later question is of no use.
      if (asked !== this._asked) {
        return;
      }
      this.rows = told.rows;
      this.problem = "";
    } catch (error) {
      if (asked !== this._asked) {
        return;
      }
      this.rows = [];
      this.problem = error instanceof Error ? error.message : String(error);
    }
    this.app.draw();
  }

  render() {
    const names = this.app.model.services.map((each) => each.name);
    const head = this.rows.find((row) => row.row === "explanation");
    const choices = this.rows.filter((row) => row.row === "choice");
    return html`<h2>Explain</h2>
      <p class="lead">Which host would a client get, and why not another one? Nothing is changed.</p>
      <form class="tools" @submit=${(/** @type {SubmitEvent} */ event) => this._ask(event)}>
        <label>Service <select name="service">${names.map((name) => html`<option ?selected=${name === this.service}>${name}</option>`)}</select></label>
        <label>IP address of the client <input name="client" .value=${this.client} placeholder="any client" autocomplete="off"></label>
        <button type="submit" class="primary">Explain</button>
      </form>
      ${this.problem ? html`<p class="problem" role="alert">${this.problem}</p>` : nothing}
      ${head
        ? html`<section aria-live="polite"><h3>${head.chosen ? html`It would get ${head.chosen}` : "It would get no host"}</h3>
            <p class="soft">Group ${head.group}, policy ${head.scheduler}; the score is: ${head.scoreMeans}.
              ${head.predictable ? "" : "Chance has a part in it."}</p>
            <div class="scroll" tabindex="0" role="region" aria-label="Table"><table><thead><tr><th>Host</th><th>State</th><th class="n">Weight</th><th class="n">Open</th><th class="n">Score</th><th>Why not</th></tr></thead>
            <tbody>${choices.map(
              (row) => html`<tr class=${row.chosen ? "chosen" : ""}><td>${row.name}</td>
                <td class=${stateClass(row.state)}><span aria-hidden="true">${stateSign(row.state)}</span> ${row.state}</td>
                <td class="n">${number(row.effectiveWeight)}</td><td class="n">${number(row.active)}</td>
                <td class="n">${row.score === null ? "–" : number(row.score)}</td><td>${row.chosen ? "chosen" : row.why}</td></tr>`,
            )}</tbody></table></div></section>`
        : nothing}`;
  }
}
