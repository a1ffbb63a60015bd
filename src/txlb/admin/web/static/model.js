// What the balancer tells: all services, groups and hosts, kept up to date by its stream.

import { get, Problem } from "./api.js";

/**
 * @typedef {object} Service
 * @property {string} name
 * @property {string[]} addresses
 * @property {number} active
 * @property {number} accepted
 * @property {Record<string, number>} refused
 * @property {string} serving
 * @property {string} notAccepting
 * @property {Group[]} groups
 *
 * @typedef {object} Group
 * @property {string} name
 * @property {string} scheduler
 * @property {boolean} enabled
 * @property {number} ready
 * @property {number} up
 * @property {number} waiting
 * @property {boolean} backupUsed
 * @property {string} allDown
 * @property {number | null} connectP50 seconds that half of all connects to hosts took at most, since
 *   the balancer was started
 * @property {number | null} connectP99 seconds that 99 of 100 took at most
 * @property {Host[]} hosts
 *
 * @typedef {object} Host
 * @property {string} name
 * @property {string} service
 * @property {string} group
 * @property {string} key
 * @property {string} address
 * @property {string} state
 * @property {string} reason
 * @property {number} since seconds since 1970
 * @property {string} wanted
 * @property {number | null} drainedAt
 * @property {number} weight
 * @property {number} effectiveWeight
 * @property {number} active
 * @property {number} pending
 * @property {number | null} maxConnections
 * @property {number} connections
 * @property {number} failures
 * @property {number} bytesIn
 * @property {number} bytesOut
 * @property {number | null} connectTime
 * @property {number | null} load
 * @property {string} origin
 * @property {boolean} backup
 * @property {string | null} checked
 * @property {number} rate connections a second
 * @property {number} traffic bytes a second, both ways
 * @property {number[]} spark the last rates
 * @property {number} sampled when the rates were computed, in seconds since 1970
 *
 * @typedef {object} BalancerEvent
 * @property {number} number
 * @property {number} time seconds since 1970
 * @property {string} kind
 * @property {string[]} key
 * @property {string} message
 * @property {Record<string, any>} details
 * @property {string} by
 */

/** Points of a sparkline. */
const SPARK = 40;

/** Events that are kept. */
const MOST_EVENTS = 1000;

export class Model extends EventTarget {
  constructor() {
    super();
    /** @type {Service[]} */
    this.services = [];
    /** @type {Map<string, Host>} */
    this.hosts = new Map();
    /** @type {BalancerEvent[]} the newest first */
    this.events = [];
    /** @type {string[]} */
    this.columns = [];
    this.connected = false;
    /** The time of the balancer less that of this browser, in seconds. */
    this.offset = 0;
    this.loaded = false;
    this._loading = false;
    this._again = false;
    /** @type {any[]} updates that came while all was asked for */
    this._meanwhile = [];
    /** Milliseconds that the last answer with all took. */
    this._took = 0;
  }

  /** The time of the balancer, in seconds since 1970. */
  now() {
    return Date.now() / 1000 + this.offset;
  }

  /** Follow the balancer. */
  start() {
    const stream = new EventSource("api/v1/events");
    stream.addEventListener("hello", () => {
      this.connected = true;
      this.load();
      this.loadPast();
    });
    stream.addEventListener("gap", () => this.load());
    stream.addEventListener("event", (told) => {
      this._happened(JSON.parse(/** @type {MessageEvent} */ (told).data));
    });
    stream.addEventListener("update", (told) => {
      this._update(JSON.parse(/** @type {MessageEvent} */ (told).data));
    });
    stream.addEventListener("error", () => {
      this.connected = false;
      this._changed();
      // A balancer that was started anew knows no session; the answer leads to the login.
      if (stream.readyState === EventSource.CLOSED) {
        setTimeout(() => this._restart(), 2000);
      }
    });
    this._stream = stream;
  }

  async _restart() {
    try {
      await get("api/v1/session");
      this.start();
    } catch (error) {
      if (error instanceof Problem && error.status !== 401) {
        setTimeout(() => this._restart(), 2000);
      }
    }
  }

  /** Get the events that happened before the page was opened. */
  async loadPast() {
    const told = await get("api/v1/events?after=-300").catch(() => ({ rows: [] }));
    const known = new Set(this.events.map((event) => event.number));
    const past = told.rows.filter((/** @type {any} */ row) => row.row === "event" && !known.has(row.number));
    this.events = [...this.events, ...past].sort((one, other) => other.number - one.number).slice(0, MOST_EVENTS);
    this._changed();
  }

  /** Get everything anew. */
  async load() {
    if (this._loading) {
      this._again = true;
      return;
    }
    this._loading = true;
    this._meanwhile = [];
    const began = performance.now();
    try {
      const overview = await get("api/v1/overview");
      this._take(overview);
    } catch {
      this.connected = false;
      this._changed();
    }
    this._took = performance.now() - began;
    this._loading = false;
    // The answer may be older than they are. The next update has all that differs from the last one.
    for (const update of this._meanwhile.splice(0)) {
      this._update(update);
    }
    if (this._again) {
      this._again = false;
      this._soon();
    }
  }

  /** @param {any} overview */
  _take(overview) {
    this.offset = overview.time - Date.now() / 1000;
    this.columns = overview.columns;
    const before = this.hosts;
    this.hosts = new Map();
    this.services = overview.services;
    for (const service of this.services) {
      for (const group of service.groups) {
        group.hosts = group.hosts.map((values) => {
          const host = this._host(service.name, group.name, /** @type {any} */ (values));
          const old = before.get(host.key);
          if (old !== undefined) {
            this._sample(host, old, overview.time);
          }
          host.sampled = overview.time;
          this.hosts.set(host.key, host);
          return host;
        });
      }
    }
    this.loaded = true;
    this.connected = true;
    this._changed();
  }

  /**
   * @param {string} service
   * @param {string} group
   * @param {any[]} values
   * @returns {Host}
   */
  _host(service, group, values) {
    /** @type {any} */
    const host = { service, group, rate: 0, traffic: 0, spark: [], sampled: 0 };
    this.columns.forEach((name, place) => {
      host[name] = values[place];
    });
    host.key = keyOf(service, group, host.name);
    return host;
  }

  /**
   * Compute rates from two states of a host.
   * @param {Host} host
   * @param {Host} old
   * @param {number} time
   */
  _sample(host, old, time) {
    const passed = time - old.sampled;
    host.spark = old.spark;
    if (old.sampled && passed > 0.2) {
      host.rate = Math.max(0, host.connections - old.connections) / passed;
      const moved = host.bytesIn + host.bytesOut - old.bytesIn - old.bytesOut;
      host.traffic = Math.max(0, moved) / passed;
      host.spark = [...old.spark, host.rate].slice(-SPARK);
    } else {
      host.rate = old.rate;
      host.traffic = old.traffic;
    }
  }

  /** @param {any} update */
  _update(update) {
    if (this._loading) {
      this._meanwhile.push(update);
    }
    if (!this.loaded) {
      return;
    }
    this.offset = update.time - Date.now() / 1000;
    const services = new Map(this.services.map((each) => [each.name, each]));
    const groups = this.services.reduce((sum, each) => sum + each.groups.length, 0);
    // A service or a group has gone.
    let moved = update.services.length < services.size || update.groups.length < groups || update.removed.length > 0;
    for (const told of update.services) {
      const service = services.get(told.name);
      if (service === undefined) {
        this._soon();
        return;
      }
      Object.assign(service, told);
    }
    for (const told of update.groups) {
      const group = services.get(told.service)?.groups.find((each) => each.name === told.name);
      if (group === undefined) {
        this._soon();
        return;
      }
      const { service: _, ...rest } = told;
      Object.assign(group, rest);
    }
    const changed = new Set();
    for (const [service, group, ...values] of update.hosts) {
      const host = this._host(service, group, values);
      const old = this.hosts.get(host.key);
      if (old === undefined) {
        moved = true;
        continue;
      }
      this._sample(host, old, update.time);
      Object.assign(old, host, { sampled: update.time });
      changed.add(host.key);
    }
    for (const host of this.hosts.values()) {
      if (!changed.has(host.key)) {
        // Nothing has changed, so nothing has come.
        if (host.sampled && update.time - host.sampled > 0.2) {
          host.rate = 0;
          host.traffic = 0;
          host.spark.push(0);
          if (host.spark.length > SPARK) {
            host.spark.shift();
          }
        }
        host.sampled = update.time;
      }
    }
    if (moved) {
      this._soon();
    }
    this._changed();
  }

  /** @param {any} event */
  _happened(event) {
    if (this.events.length > 0 && event.number <= this.events[0].number) {
      return;
    }
    this.events = [event, ...this.events].slice(0, MOST_EVENTS);
    this.dispatchEvent(new CustomEvent("happened", { detail: event }));
  }

  /**
   * Get everything soon, as there is another service, group or host. While much happens, most of
   * the time is left to the balancer and to the page.
   */
  _soon() {
    if (this._timer === undefined) {
      const pause = Math.min(5000, Math.max(150, 3 * this._took));
      this._timer = setTimeout(() => {
        this._timer = undefined;
        this.load();
      }, pause);
    }
  }

  _changed() {
    this.dispatchEvent(new Event("changed"));
  }

  /** @param {string} name */
  service(name) {
    return this.services.find((each) => each.name === name);
  }

  /** @param {string} service @param {string} group */
  group(service, group) {
    return this.service(service)?.groups.find((each) => each.name === group);
  }
}

/** @param {string[]} names */
export function keyOf(...names) {
  return names.join("/");
}
