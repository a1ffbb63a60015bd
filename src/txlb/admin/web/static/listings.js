// Pages that list what a command answers: clones, sources, the cluster, certificates, sessions.

import { html, nothing } from "./lit.js";
import { get, post } from "./api.js";
import * as changes from "./changes.js";
import { ask } from "./dialog.js";
import { bytes, counted, date, number, span } from "./format.js";

/** Seconds between two questions. */
const REFRESH = 5;

/**
 * @typedef {object} Column
 * @property {string} title
 * @property {(row: any) => any} value
 * @property {boolean} [numeric]
 */

/** A page with the rows of one answer. */
class Listing {
  /**
   * @param {import("./app.js").App} app
   * @param {{ title: string, lead: string, path: string, rows: (answer: any) => any[], columns: Column[], empty: string,
   *   actions?: (row: any, page: Listing) => any, head?: (page: Listing) => any }} about
   */
  constructor(app, about) {
    this.app = app;
    this.about = about;
    /** @type {any[] | null} */
    this.rows = null;
    /** @type {any} */
    this.answer = null;
    this.problem = "";
  }

  title() {
    return this.about.title;
  }

  enter() {
    this.load();
    this._timer = setInterval(() => this.load(), REFRESH * 1000);
  }

  leave() {
    clearInterval(this._timer);
  }

  async load() {
    try {
      this.answer = await get(this.about.path);
      this.rows = this.about.rows(this.answer);
      this.problem = "";
    } catch (error) {
      this.problem = error instanceof Error ? error.message : String(error);
    }
    this.app.draw();
  }

  render() {
    const { title, lead, columns, empty, actions, head } = this.about;
    /** @type {any[]} */
    const rows = this.rows ?? [];
    return html`<h2>${title}</h2><p class="lead">${lead}</p>
      ${this.problem ? html`<p class="problem" role="alert">${this.problem}</p>` : nothing}
      ${head ? head(this) : nothing}
      ${this.rows !== null && rows.length === 0 ? html`<p class="empty">${empty}</p>` : nothing}
      ${rows.length > 0
        ? html`<div class="scroll" tabindex="0" role="region" aria-label="Table"><table><thead><tr>${columns.map((column) => html`<th class=${column.numeric ? "n" : ""}>${column.title}</th>`)}
            ${actions ? html`<th><span class="hidden">Actions</span></th>` : nothing}</tr></thead>
          <tbody>${rows.map(
            (row) => html`<tr>${columns.map((column) => html`<td class=${column.numeric ? "n" : ""}>${column.value(row)}</td>`)}
              ${actions ? html`<td>${actions(row, this)}</td>` : nothing}</tr>`,
          )}</tbody></table></div>`
        : nothing}`;
  }
}

/** @param {import("./app.js").App} app */
export const clonesPage = (app) =>
  new Listing(app, {
    title: "Clones",
    lead: "The processes of cloned applications: what each does, and how it stands.",
    path: "api/v1/status",
    rows: (answer) => answer.rows.filter((/** @type {any} */ row) => row.row === "process"),
    empty: "No application is cloned here.",
    columns: [
      { title: "Process", value: (row) => row.name },
      { title: "Role", value: (row) => row.role },
      { title: "State", value: (row) => row.state },
      { title: "Pid", value: (row) => row.pid, numeric: true },
      { title: "Generation", value: (row) => row.generation, numeric: true },
      { title: "Connections", value: (row) => number(row.connections ?? 0), numeric: true },
      { title: "Lag", value: (row) => `${((row.lag ?? 0) * 1000).toFixed(1)} ms`, numeric: true },
      { title: "Memory", value: (row) => bytes(row.memory ?? 0), numeric: true },
    ],
    head: (page) =>
      page.app.may("full") && (page.rows ?? []).length > 0
        ? html`<div class="actions"><button type="button" @click=${changes.roll}>Roll</button></div>`
        : nothing,
  });

/** @param {import("./app.js").App} app */
export const sourcesPage = (app) =>
  new Listing(app, {
    title: "Sources",
    lead: "The sources that find hosts. If one fails, the last known hosts stay.",
    path: "api/v1/discovery",
    rows: (answer) => answer.rows,
    empty: "No group has a source of hosts.",
    columns: [
      { title: "Group", value: (row) => `${row.service}/${row.group}` },
      { title: "Source", value: (row) => row.origin },
      { title: "Hosts", value: (row) => number(row.hosts), numeric: true },
      { title: "Last answer", value: (row) => (row.age === null ? "none yet" : `${span(row.age)} ago`) },
      {
        title: "Trouble",
        value: (row) =>
          html`${row.trouble} ${row.held === null ? nothing : html`<strong class="warn">an answer with ${row.held} hosts is held back</strong>`}
            ${row.wrong.length ? html`<details><summary>${row.wrong.length} wrong entries</summary>${row.wrong.map((/** @type {string} */ each) => html`<p>${each}</p>`)}</details>` : nothing}`,
      },
    ],
    actions: (row, page) =>
      row.held !== null && page.app.may("operator")
        ? html`<button type="button" class="small" @click=${() =>
            ask({
              title: `Accept the answer of ${row.origin}`,
              text: html`<p>${row.service}/${row.group} has ${row.hosts} hosts, and gets ${row.held}. Those that are missing are removed; their connections go on.</p>`,
              action: "Accept",
              grave: true,
              act: () => post(`api/v1/services/${encodeURIComponent(row.service)}/groups/${encodeURIComponent(row.group)}/accept`).then(reloaded(page)),
            })}>Accept</button>`
        : nothing,
  });

/** @param {import("./app.js").App} app */
export const clusterPage = (app) =>
  new Listing(app, {
    title: "Cluster",
    lead: "The balancers that stand in for one another, as this one knows them.",
    path: "api/v1/cluster",
    rows: (answer) => answer.rows.filter((/** @type {any} */ row) => row.row === "member"),
    empty: "This balancer is in no cluster.",
    columns: [
      { title: "Member", value: (row) => row.name },
      { title: "Address", value: (row) => row.address },
      { title: "Version", value: (row) => row.version },
      { title: "Since", value: (row) => date(row.since) },
      { title: "Takes for the leader", value: (row) => row.leader || "none" },
      { title: "Changes behind", value: (row) => number(row.lag), numeric: true },
      {
        title: "Services",
        value: (row) => html`<span class=${row.same ? "good" : "warn"}>${row.same ? "the same" : "different"}</span>`,
      },
    ],
    head: clusterHead,
  });

/** @param {Listing} page */
function clusterHead(page) {
  const cluster = page.answer?.rows.find((/** @type {any} */ row) => row.row === "cluster");
  if (!cluster) {
    return nothing;
  }
  return html`<p>${cluster.name} (${cluster.mode}): ${cluster.leader ? html`<b>${cluster.leader}</b> leads since ${date(cluster.since)}` : "no member leads"}.
      This is ${cluster.member}. ${cluster.connected ? nothing : html`<strong class="warn">It is no member now, and refuses changes: ${cluster.trouble}</strong>`}</p>
    ${page.app.may("full")
      ? html`<div class="actions">${cluster.leads
          ? html`<button type="button" @click=${() =>
              ask({
                title: "Let another member lead",
                text: html`<p>The connections of all members go on. An address that follows the leader moves.</p>`,
                action: "Step down",
                act: () => post("api/v1/cluster-step-down").then(reloaded(page)),
              })}>Step down</button>`
          : nothing}
        ${cluster.shared
          ? html`<button type="button" @click=${() =>
              ask({
                title: "Take back all that the members share",
                text: html`<p>The members share ${counted(cluster.shared, "value")} on top of their files. On each member they are again what its file says. Hosts that were added are removed; their connections go on.</p>`,
                action: "Take back",
                grave: true,
                act: () => post("api/v1/cluster-forget", { everything: true }).then(reloaded(page)),
              })}>Take back ${counted(cluster.shared, "shared value")}</button>`
          : nothing}</div>`
      : nothing}`;
}

/** @param {import("./app.js").App} app */
export const certificatesPage = (app) =>
  new Listing(app, {
    title: "Certificates",
    lead: "The certificates that clients are shown. Files that change are read again by themselves.",
    path: "api/v1/certs",
    rows: (answer) => answer.rows,
    empty: "No listener ends TLS.",
    columns: [
      { title: "Names", value: (row) => (row.names ?? [row.text]).join(", ") },
      { title: "Key", value: (row) => row.key ?? "" },
      { title: "Until", value: (row) => (row.expires ? date(row.expires) : "") },
      { title: "State", value: (row) => html`<span class=${row.state === "good" ? "good" : "warn"}>${row.state ?? row.row}</span>` },
      { title: "File", value: (row) => row.file ?? "" },
    ],
    head: (page) =>
      page.app.may("full") && (page.rows ?? []).length > 0
        ? html`<div class="actions"><button type="button" @click=${() =>
            ask({
              title: "Read the certificates again",
              text: html`<p>What is right in the files is used for new handshakes; what has a fault stays as it was.</p>`,
              action: "Read again",
              act: () => post("api/v1/reload-certificates").then(reloaded(page)),
            })}>Read again</button></div>`
        : nothing,
  });

/** @param {import("./app.js").App} app */
export const sessionsPage = (app) =>
  new Listing(app, {
    title: "Sessions",
    lead: "The administrators and programs that are in, by any door.",
    path: "api/v1/sessions",
    rows: (answer) => answer.rows.filter((/** @type {any} */ row) => row.row === "session"),
    empty: "No session is open.",
    columns: [
      { title: "User", value: (row) => row.name },
      { title: "Door", value: (row) => row.door },
      { title: "From", value: (row) => row.address },
      { title: "Access", value: (row) => row.access },
      { title: "Known by", value: (row) => row.source },
      { title: "Since", value: (row) => date(row.since) },
      { title: "Idle", value: (row) => span(row.idle) },
    ],
    actions: (row, page) =>
      page.app.may("full")
        ? html`<button type="button" class="small grave" aria-label=${`End the session of ${row.name}`} @click=${() =>
            ask({
              title: `End the session of ${row.name}`,
              text: html`<p>${row.name} is disconnected from ${row.door} within a second, and may log in again.</p>`,
              action: "End",
              grave: true,
              act: () => post("api/v1/sessions-end", { session: row.id }).then(reloaded(page)),
            })}>End</button>`
        : nothing,
  });

/** @param {Listing} page */
function reloaded(page) {
  return (/** @type {any} */ answer) => {
    page.load();
    return answer;
  };
}
