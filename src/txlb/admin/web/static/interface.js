// The page that shows the REST interface, as its OpenAPI document describes it.

import { html, nothing } from "./lit.js";
import { get } from "./api.js";

/**
 * @typedef {object} Operation
 * @property {string} method
 * @property {string} path
 * @property {string} summary
 * @property {string} description
 * @property {any[]} parameters
 * @property {any} requestBody
 * @property {Record<string, { description: string }>} responses
 */

export class InterfacePage {
  /** @param {import("./app.js").App} app */
  constructor(app) {
    this.app = app;
    this.text = "";
    this.problem = "";
    /** @type {Operation[] | null} */
    this.operations = null;
  }

  title() {
    return "REST";
  }

  async enter() {
    try {
      const document = await get("api/openapi.json");
      this.operations = Object.entries(document.paths).flatMap(([path, methods]) =>
        Object.entries(methods).map(([method, told]) => ({ ...told, path, method: method.toUpperCase() })),
      );
    } catch (error) {
      this.problem = error instanceof Error ? error.message : String(error);
    }
    this.app.draw();
  }

  render() {
    const text = this.text.toLowerCase();
    const shown = (this.operations ?? []).filter(
      ({ method, path, summary }) => text === "" || `${method} ${path} ${summary}`.toLowerCase().includes(text),
    );
    return html`<h2>REST</h2>
      <p class="lead">What programs can ask, by a token or by a session.
        <a href="api/openapi.json">The document</a> is OpenAPI 3.1.</p>
      ${this.problem ? html`<p class="problem" role="alert">${this.problem}</p>` : nothing}
      <div class="tools"><label class="search">Filter
        <input name="filter" type="search" placeholder="method, path or text" .value=${this.text}
          @input=${(/** @type {InputEvent} */ event) => {
            this.text = /** @type {HTMLInputElement} */ (event.target).value;
            this.app.draw();
          }}></label></div>
      ${shown.map(operationOf)}`;
  }
}

/** @param {Operation} operation */
function operationOf({ method, path, summary, description, parameters, requestBody, responses }) {
  return html`<details class="operation"><summary><b>${method}</b> <code>${path}</code> ${summary}</summary>
    <p>${description}</p>
    ${parameters.length
      ? html`<dl class="settings">${parameters.map(
          (each) => html`<div><dt>${each.name}</dt><dd>${each.description}
            <small>${each.in}${each.required ? ", required" : ""}</small></dd></div>`,
        )}</dl>`
      : nothing}
    ${requestBody ? html`<p>Body:</p><pre class="diff">${JSON.stringify(requestBody.content, null, 2)}</pre>` : nothing}
    <dl class="settings">${Object.entries(responses).map(
      ([status, answer]) => html`<div><dt>${status}</dt><dd>${answer.description}</dd></div>`,
    )}</dl></details>`;
}
