// The pages of one host, one group and one service.

import { html, nothing } from "./lit.js";
import { get, pathOf } from "./api.js";
import * as changes from "./changes.js";
import { eventRows } from "./events.js";
import { bytes, counted, milliseconds, number, span } from "./format.js";
import { drawPlots } from "./plot.js";
import { stateClass, stateSign } from "./states.js";

/** Seconds between two questions for the last hour. */
const REFRESH = 10;

/** The policies, in the order of the reference. */
const SCHEDULERS = ["leastc", "roundr", "rand", "weightr", "weightlc", "first", "p2c", "ewma", "sticky", "maglev", "resource"];

/** A page about a thing that has a history. */
class Details {
  /**
   * @param {import("./app.js").App} app
   * @param {string[]} names
   */
  constructor(app, names) {
    this.app = app;
    this.names = names;
    /** @type {any[]} */
    this.points = [];
    /** @type {any} */
    this.resource = null;
    this.problem = "";
    this._asked = 0;
  }

  title() {
    return this.names.join("/");
  }

  enter() {
    this._ask();
    this._timer = setInterval(() => this._ask(), REFRESH * 1000);
  }

  leave() {
    this._asked += 1;
    clearInterval(this._timer);
    clearTimeout(this._soon);
  }

  /**
   * Ask anew, once for all that happens in a second.
   * @param {import("./model.js").BalancerEvent} event
   */
  happened(event) {
    if (this._soon === undefined && this._isAbout(event)) {
      this._soon = setTimeout(() => {
        this._soon = undefined;
        this._ask();
      }, 1000);
    }
  }

  /** @param {import("./model.js").BalancerEvent} event */
  _isAbout(event) {
    return this.names.every((name, place) => event.key[place] === name);
  }

  async _ask() {
    const [service, group, host] = this.names;
    const query = new URLSearchParams();
    if (group !== undefined) {
      query.set("group", group);
    }
    if (host !== undefined) {
      query.set("host", host);
    }
    this._asked += 1;
    const asked = this._asked;
    try {
      const [history, resource] = await Promise.all([
        get(`${pathOf(service)}/history?${query}`),
        get(pathOf(service, group, host)),
      ]);
      // An answer that comes after that to a later question is of no use.
      if (asked !== this._asked) {
        return;
      }
      this.points = history.rows;
      this.resource = resource;
      this.problem = "";
    } catch (error) {
      if (asked !== this._asked) {
        return;
      }
      this.problem = error instanceof Error ? error.message : String(error);
    }
    this.app.draw();
  }

  drawn() {
    const place = document.getElementById("plots");
    if (place !== null && this.points.length > 1) {
      drawPlots(place, this.points);
    }
  }

  _plots() {
    return html`<section aria-label="The last hour"><h3>The last hour</h3>
      ${this.points.length < 2 ? html`<p class="soft">The first points come in some seconds.</p>` : nothing}
      <div id="plots"></div></section>`;
  }

  _settings() {
    const settings = Object.entries(this.resource?.settings ?? {});
    if (settings.length === 0) {
      return nothing;
    }
    const origins = this.resource.origins ?? {};
    /** @param {(origin: string) => boolean} wanted */
    const list = (wanted) =>
      html`<dl class="settings">${settings
        .filter(([name]) => wanted(origins[name] ?? ""))
        .map(
          ([name, value]) => html`<div><dt>${name}</dt><dd>${shown(value)}
            <small class=${origins[name] === "live" ? "warn" : ""}>${origins[name] ?? ""}</small></dd></div>`,
        )}</dl>`;
    return html`<section><h3>Settings</h3>
      ${list((origin) => origin !== "default")}
      <details><summary>Defaults</summary>${list((origin) => origin === "default")}</details></section>`;
  }

  _events() {
    const own = this.app.model.events.filter((event) => this._isAbout(event));
    return html`<section><h3>Events</h3>${eventRows(this.app, own.slice(0, 50))}</section>`;
  }

  _missing() {
    return html`<p class="empty">${this.app.model.loaded ? `There is no ${this.names.join("/")} any more.` : "Loading …"}</p>`;
  }

  _problem() {
    return this.problem ? html`<p class="problem" role="alert">${this.problem}</p>` : nothing;
  }
}

/** @param {unknown} value */
function shown(value) {
  if (value === null || value === undefined) {
    return "not set";
  }
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

export class HostPage extends Details {
  render() {
    const host = this.app.model.hosts.get(this.names.join("/"));
    if (host === undefined) {
      return this._missing();
    }
    const now = this.app.model.now();
    const mayOperate = this.app.may("operator");
    const away = host.wanted !== "ready";
    return html`${crumbs(host.service, host.group)}
      <h2>${host.name} <span class="state ${stateClass(host.state)}"><span aria-hidden="true">${stateSign(host.state)}</span> ${host.state}</span></h2>
      ${this._problem()}
      <p class="lead">For ${span(now - host.since)}${host.reason ? html`: ${host.reason}` : nothing}.
        ${host.checked ? html`Last ${host.checked}.` : "It is not checked."}
        ${host.drainedAt ? html`What is left is reset in ${span(host.drainedAt - now)}.` : nothing}</p>
      ${mayOperate
        ? html`<div class="actions">
            ${away ? html`<button type="button" @click=${() => changes.ready(host)}>Bring back</button>` : nothing}
            ${host.wanted === "drain" ? nothing : html`<button type="button" @click=${() => changes.drain(host)}>Drain</button>`}
            ${host.wanted === "maintenance" ? nothing : html`<button type="button" @click=${() => changes.maintenance(host)}>Maintenance</button>`}
            <button type="button" @click=${() => changes.weight(host)}>Weight</button>
            ${this.app.may("full") ? html`<button type="button" class="grave" @click=${() => changes.remove(host)}>Remove</button>` : nothing}
          </div>`
        : nothing}
      <dl class="facts">
        ${fact("Address", host.address)}
        ${fact("Open connections", number(host.active), host.maxConnections ? `of ${number(host.maxConnections)}` : "")}
        ${fact("New connections", `${number(host.rate)}/s`, `${number(host.connections)} in all`)}
        ${fact("Failed", number(host.failures))}
        ${fact("Bytes to clients", bytes(host.bytesOut))}
        ${fact("Bytes to the host", bytes(host.bytesIn))}
        ${fact("Time to connect", milliseconds(host.connectTime))}
        ${fact("Weight", number(host.effectiveWeight), host.effectiveWeight === host.weight ? "" : `of ${number(host.weight)}`)}
        ${host.load === null ? nothing : fact("Load by its own account", `${Math.round(host.load * 100)} %`)}
        ${host.origin ? fact("Found by", host.origin) : nothing}
      </dl>
      ${this._plots()}${this._settings()}${this._events()}`;
  }
}

export class GroupPage extends Details {
  render() {
    const [serviceName, groupName] = this.names;
    const service = this.app.model.service(serviceName);
    const group = this.app.model.group(serviceName, groupName);
    if (service === undefined || group === undefined) {
      return this._missing();
    }
    const serves = service.serving === group.name;
    return html`${crumbs(service.name)}
      <h2>${group.name} <span class="state ${group.ready === 0 ? "bad" : group.ready < group.hosts.length ? "warn" : "good"}">${group.ready} of ${counted(group.hosts.length, "host")} ready</span></h2>
      ${this._problem()}
      <p class="lead">${serves ? "It gets the connections" : "It stands by"}. Its policy is ${group.scheduler}.
        ${group.connectP99 === null
          ? nothing
          : html`Since the start half of all connects to hosts took ${milliseconds(group.connectP50)} at most, 99 % took
            ${milliseconds(group.connectP99)}.`}
        ${group.waiting ? html`${counted(group.waiting, "client")} wait.` : nothing} ${group.allDown}</p>
      ${this.app.may("full")
        ? html`<div class="actions">
            <button type="button" @click=${() => changes.add(service.name, group)}>Add a host</button>
            <button type="button" @click=${() => changes.scheduler(service.name, group, SCHEDULERS)}>Policy</button>
            ${group.enabled
              ? nothing
              : html`<button type="button" @click=${() => changes.switchGroup(service.name, enabledOf(service), group)}>Give it the connections</button>`}
          </div>`
        : nothing}
      ${hostTable(group)}
      ${this._plots()}${this._settings()}${this._events()}`;
  }
}

export class ServicePage extends Details {
  /**
   * @param {import("./app.js").App} app
   * @param {string[]} names
   */
  constructor(app, names) {
    super(app, names);
    /** @type {{ name: string, service: string, addresses: string[] }[]} */
    this.listeners = [];
  }

  async _ask() {
    const told = await get("api/v1/listeners").catch(() => null);
    if (told !== null) {
      this.listeners = told.listeners.filter((/** @type {any} */ each) => each.service === this.names[0]);
    }
    await super._ask();
  }

  render() {
    const service = this.app.model.service(this.names[0]);
    if (service === undefined) {
      return this._missing();
    }
    const refused = Object.entries(service.refused).filter(([, count]) => count > 0);
    return html`${crumbs()}
      <h2>${service.name}</h2>
      ${this._problem()}
      <p class="lead">It listens on ${service.addresses.join(", ") || "nothing"}. ${service.notAccepting}</p>
      ${this.app.may("full")
        ? html`<div class="actions">${this.listeners.map(
            ({ name, addresses }) =>
              html`<button type="button" @click=${() => changes.switchPort(name, addresses, () => this._ask())}>Move ${addresses.join(", ")}</button>`,
          )}</div>`
        : nothing}
      <dl class="facts">
        ${fact("Open connections", number(service.active))}
        ${fact("Accepted in all", number(service.accepted))}
        ${refused.map(([reason, count]) => fact(`Refused: ${reason}`, number(count)))}
      </dl>
      <section><h3>Groups</h3><ul class="groups">${service.groups.map(
        (group) => html`<li><a href="#/group/${encodeURIComponent(service.name)}/${encodeURIComponent(group.name)}">${group.name}</a>
          ${service.serving === group.name ? html`<strong>gets the connections</strong>` : "stands by"},
          ${group.ready} of ${counted(group.hosts.length, "host")} ready</li>`,
      )}</ul></section>
      ${this._plots()}${this._settings()}${this._events()}`;
  }
}

/** @param {import("./model.js").Service} service */
function enabledOf(service) {
  return service.groups.find((group) => group.enabled)?.name ?? service.serving;
}

/** @param {import("./model.js").Group} group */
function hostTable(group) {
  const most = 200;
  return html`<section><h3>Hosts</h3><div class="scroll" tabindex="0" role="region" aria-label="Table"><table>
    <thead><tr><th>Host</th><th>State</th><th>Address</th><th class="n">Weight</th><th class="n">Open</th><th class="n">Failed</th></tr></thead>
    <tbody>${group.hosts.slice(0, most).map(
      (host) => html`<tr>
        <td><a href="#/host/${host.key.split("/").map(encodeURIComponent).join("/")}">${host.name}</a></td>
        <td class=${stateClass(host.state)}><span aria-hidden="true">${stateSign(host.state)}</span> ${host.state}</td>
        <td>${host.address}</td><td class="n">${number(host.weight)}</td>
        <td class="n">${number(host.active)}</td><td class="n">${number(host.failures)}</td></tr>`,
    )}</tbody></table></div>
    ${group.hosts.length > most ? html`<p class="soft">${group.hosts.length - most} more are in the overview.</p>` : nothing}</section>`;
}

/** @param {string} name @param {any} value @param {string} [more] */
function fact(name, value, more = "") {
  return html`<div><dt>${name}</dt><dd>${value} <small>${more}</small></dd></div>`;
}

/** @param {string} [service] @param {string} [group] */
function crumbs(service, group) {
  return html`<nav class="crumbs" aria-label="Place"><a href="#/">Overview</a>
    ${service === undefined ? nothing : html` / <a href="#/service/${encodeURIComponent(service)}">${service}</a>`}
    ${group === undefined ? nothing : html` / <a href="#/group/${encodeURIComponent(service ?? "")}/${encodeURIComponent(group)}">${group}</a>`}</nav>`;
}
