// The page of all services, groups and hosts. Only the rows that can be seen are drawn.

import { html, nothing, repeat } from "./lit.js";
import { bytes, counted, milliseconds, number, span } from "./format.js";
import { spark } from "./spark.js";
import { isBad, stateClass, stateSign } from "./states.js";

/** @typedef {import("./model.js").Host} Host */
/** @typedef {import("./model.js").Group} Group */
/** @typedef {import("./model.js").Service} Service */

/**
 * @typedef {{ kind: "service", key: string, height: number, service: Service }
 *   | { kind: "group", key: string, height: number, service: Service, group: Group, folded: boolean }
 *   | { kind: "host", key: string, height: number, host: Host }} Row
 */

/** Pixels of each kind of row. They are those of the style sheet. */
const HEIGHTS = { service: 56, group: 40, host: 34 };

/** Groups with more hosts than this are folded at first. */
const FOLD = 60;

/** Pixels above and below the window that are drawn as well. */
const MARGIN = 400;

export class Overview {
  /** @param {import("./app.js").App} app */
  constructor(app) {
    this.app = app;
    this.text = "";
    this.only = "";
    /** @type {Map<string, boolean>} */
    this.folds = new Map();
  }

  title() {
    return "Overview";
  }

  /** @param {Host} host */
  _wanted(host) {
    if (this.only === "bad" && !isBad(host.state)) {
      return false;
    }
    if (this.only !== "" && this.only !== "bad" && host.state !== this.only) {
      return false;
    }
    const text = this.text.toLowerCase();
    return text === "" || host.key.toLowerCase().includes(text) || host.address.toLowerCase().includes(text);
  }

  /** @returns {Row[]} */
  _rows() {
    /** @type {Row[]} */
    const rows = [];
    const filtered = this.text !== "" || this.only !== "";
    for (const service of this.app.model.services) {
      /** @type {Row[]} */
      const own = [];
      for (const group of service.groups) {
        const hosts = filtered ? group.hosts.filter((host) => this._wanted(host)) : group.hosts;
        if (filtered && hosts.length === 0) {
          continue;
        }
        const key = `${service.name}/${group.name}`;
        const folded = !filtered && (this.folds.get(key) ?? group.hosts.length > FOLD);
        own.push({ kind: "group", key: `g ${key}`, height: HEIGHTS.group, service, group, folded });
        if (!folded) {
          for (const host of hosts) {
            own.push({ kind: "host", key: `h ${host.key}`, height: HEIGHTS.host, host });
          }
        }
      }
      if (own.length > 0 || !filtered) {
        rows.push({ kind: "service", key: `s ${service.name}`, height: HEIGHTS.service, service }, ...own);
      }
    }
    return rows;
  }

  render() {
    const rows = this._rows();
    const list = document.getElementById("rows");
    const top = list ? list.getBoundingClientRect().top : 0;
    const from = -top - MARGIN;
    const to = -top + window.innerHeight + MARGIN;
    /** @type {{ row: Row, y: number, place: number }[]} */
    const seen = [];
    let y = 0;
    rows.forEach((row, place) => {
      if (y + row.height >= from && y <= to) {
        seen.push({ row, y, place });
      }
      y += row.height;
    });
    const hosts = [...this.app.model.hosts.values()];
    const bad = hosts.filter((host) => isBad(host.state)).length;
    return html`
      <div class="tools">
        <label class="search">Filter
          <input name="filter" type="search" placeholder="service, group, host or address" .value=${this.text}
            @input=${(/** @type {InputEvent} */ event) => {
              this.text = /** @type {HTMLInputElement} */ (event.target).value;
              this.app.draw();
            }}>
        </label>
        <label>State
          <select @change=${(/** @type {Event} */ event) => {
            this.only = /** @type {HTMLSelectElement} */ (event.target).value;
            this.app.draw();
          }}>
            ${["", "bad", "up", "down", "drain", "maintenance", "unchecked"].map(
              (each) => html`<option value=${each} ?selected=${each === this.only}>
                ${{ "": "all", bad: "needs attention" }[each] ?? each}</option>`,
            )}
          </select>
        </label>
        <p class="sum">${counted(hosts.length, "host")}${bad ? html`, <strong class="bad">${bad} need attention</strong>` : nothing}</p>
      </div>
      <div class="table" role="table" aria-label="Hosts" aria-rowcount=${rows.length}>
        <div class="row head" role="row">
          ${["State", "Host", "Address", "Weight", "Open", "Rate", "Trend", "Traffic", "Connect", "Failed", "Why"].map(
            (name, place) => html`<span role="columnheader" class="c${place}">${name}</span>`,
          )}
        </div>
        <div id="rows" role="rowgroup" .style=${`height:${y}px`}>
          ${repeat(
            seen,
            ({ row }) => row.key,
            ({ row, y: at, place }) => html`<div class="row ${row.kind}" role="row" aria-rowindex=${place + 2}
              .style=${`transform:translateY(${at}px)`}>${this._row(row)}</div>`,
          )}
        </div>
      </div>
      ${rows.length === 0 ? html`<p class="empty">No host is like that.</p>` : nothing}`;
  }

  /** @param {Row} row */
  _row(row) {
    if (row.kind === "service") {
      return this._service(row.service);
    }
    return row.kind === "group" ? this._group(row) : this._host(row.host);
  }

  /** @param {Service} service */
  _service(service) {
    const refused = Object.values(service.refused).reduce((sum, each) => sum + each, 0);
    return html`<span role="cell"><h2><a href="#/service/${encodeURIComponent(service.name)}">${service.name}</a></h2></span>
      <span role="cell" class="fact">${service.addresses.join(", ") || "listens nowhere"}</span>
      <span role="cell" class="fact">${number(service.active)} open, ${number(service.accepted)} in all,
        ${refused ? html`<span class="warn">${number(refused)} refused</span>` : "none refused"}</span>
      ${service.notAccepting ? html`<span role="cell" class="bad">${service.notAccepting}</span>` : nothing}`;
  }

  /** @param {{ service: Service, group: Group, folded: boolean }} row */
  _group({ service, group, folded }) {
    const key = `${service.name}/${group.name}`;
    const all = group.hosts.length;
    const kind = group.ready === 0 ? "bad" : group.ready < all ? "warn" : "good";
    return html`<span role="cell"><button type="button" class="fold" aria-expanded=${!folded}
        aria-label=${`${folded ? "Show" : "Hide"} the hosts of ${key}`}
        @click=${() => {
          this.folds.set(key, !folded);
          this.app.draw();
        }}>${folded ? "▸" : "▾"}</button>
      <a href="#/group/${encodeURIComponent(service.name)}/${encodeURIComponent(group.name)}">${group.name}</a></span>
      <span role="cell" class="fact">${group.scheduler}</span>
      <span role="cell" class="fact">${service.serving === group.name ? html`<strong>gets the connections</strong>` : "stands by"}</span>
      <span role="cell" class=${kind}>${number(group.ready)} of ${counted(all, "host")} ready</span>
      ${group.connectP99 === null
        ? nothing
        : html`<span role="cell" class="fact">since the start: half connect in ${milliseconds(group.connectP50)}, 99 % in ${milliseconds(group.connectP99)}</span>`}
      ${group.waiting ? html`<span role="cell" class="warn">${counted(group.waiting, "client")} wait</span>` : nothing}
      ${group.backupUsed ? html`<span role="cell" class="warn">backup is used</span>` : nothing}`;
  }

  /** @param {Host} host */
  _host(host) {
    const now = this.app.model.now();
    const weight =
      host.effectiveWeight !== host.weight && host.weight > 0
        ? html`${number(host.effectiveWeight)}<small> of ${host.weight}</small>`
        : number(host.weight);
    const load = host.load === null ? "" : `load ${Math.round(host.load * 100)} %`;
    const why = [host.reason, load, host.backup ? "backup" : "", host.origin ? `found by ${host.origin}` : ""]
      .filter(Boolean)
      .join("; ");
    return html`<span role="cell" class="c0 ${stateClass(host.state)}"><span aria-hidden="true">${stateSign(host.state)}</span>
        ${host.state} <small>${span(now - host.since)}</small></span>
      <span role="cell" class="c1"><a href="#/host/${host.key.split("/").map(encodeURIComponent).join("/")}">${host.name}</a></span>
      <span role="cell" class="c2">${host.address}</span>
      <span role="cell" class="c3 n">${weight}</span>
      <span role="cell" class="c4 n">${number(host.active)}${host.maxConnections ? html`<small> of ${number(host.maxConnections)}</small>` : nothing}</span>
      <span role="cell" class="c5 n">${number(host.rate)}/s</span>
      <span role="cell" class="c6">${spark(host.spark, `connections a second, the last ${number(host.rate)}`)}</span>
      <span role="cell" class="c7 n">${bytes(host.traffic)}/s</span>
      <span role="cell" class="c8 n">${milliseconds(host.connectTime)}</span>
      <span role="cell" class="c9 n ${host.failures ? "warn" : ""}">${number(host.failures)}</span>
      <span role="cell" class="c10">${why}</span>`;
  }
}
