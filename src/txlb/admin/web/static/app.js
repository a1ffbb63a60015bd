// The console: its pages, and the frame around them.

import { html, render, nothing } from "./lit.js";
import { get, post, Problem } from "./api.js";
import * as changes from "./changes.js";
import { GroupPage, HostPage, ServicePage } from "./details.js";
import { tellBy } from "./dialog.js";
import { EventsPage } from "./events.js";
import { ExplainPage } from "./explain.js";
import { InterfacePage } from "./interface.js";
import { certificatesPage, clonesPage, clusterPage, sessionsPage, sourcesPage } from "./listings.js";
import { Model } from "./model.js";
import { Overview } from "./overview.js";

/** Access, the least one first; each one includes those before it. */
const LEVELS = ["readonly", "operator", "full"];

/**
 * @typedef {object} Page
 * @property {() => string} title
 * @property {() => any} render
 * @property {() => void} [enter]
 * @property {() => void} [leave]
 * @property {() => void} [drawn]
 * @property {(event: import("./model.js").BalancerEvent) => void} [happened]
 */

/** @type {[string, string][]} */
const PLACES = [
  ["", "Overview"],
  ["events", "Events"],
  ["explain", "Explain"],
  ["sources", "Sources"],
  ["clones", "Clones"],
  ["cluster", "Cluster"],
  ["certificates", "Certificates"],
  ["sessions", "Sessions"],
];

export class App {
  constructor() {
    this.model = new Model();
    /** @type {{ user?: string, name: string, access: string, version?: string }} */
    this.session = { name: "", access: "readonly" };
    /** @type {Page} */
    this.overview = new Overview(this);
    this.page = this.overview;
    this.message = "";
    this._drawing = false;
  }

  /**
   * Whether the user may do what takes some access.
   * @param {string} access
   */
  may(access) {
    return LEVELS.indexOf(this.session.access) >= LEVELS.indexOf(access);
  }

  async start() {
    try {
      this.session = await get("api/v1/session");
    } catch (error) {
      // Without a session the answer has led to the login.
      if (!(error instanceof Problem && error.status === 401)) {
        setTimeout(() => this.start(), 2000);
      }
      return;
    }
    tellBy((message) => this.tell(message));
    this.model.addEventListener("changed", () => this.draw());
    this.model.addEventListener("happened", (told) => {
      this.page.happened?.(/** @type {CustomEvent} */ (told).detail);
      this.draw();
    });
    window.addEventListener("hashchange", () => this._go());
    window.addEventListener("scroll", () => this.draw(), { passive: true });
    window.addEventListener("resize", () => this.draw());
    // Plots have colors of their own.
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
    // Times in words grow old.
    setInterval(() => this.draw(), 1000);
    this.model.start();
    this._go();
  }

  _go() {
    this.page.leave?.();
    this.page = this._pageAt(location.hash.replace(/^#\/?/, ""));
    this.page.enter?.();
    document.title = `${this.page.title()} – txlb`;
    window.scrollTo(0, 0);
    this.draw();
  }

  /** @param {string} path @returns {Page} */
  _pageAt(path) {
    const [kind, ...names] = path.split("/").map(decodeURIComponent);
    switch (kind) {
      case "service":
        return new ServicePage(this, names);
      case "group":
        return new GroupPage(this, names);
      case "host":
        return new HostPage(this, names);
      case "events":
        return new EventsPage(this);
      case "explain":
        return new ExplainPage(this);
      case "rest":
        return new InterfacePage(this);
      case "sources":
        return sourcesPage(this);
      case "clones":
        return clonesPage(this);
      case "cluster":
        return clusterPage(this);
      case "certificates":
        return certificatesPage(this);
      case "sessions":
        return sessionsPage(this);
      default:
        return this.overview;
    }
  }

  /** @param {string} message */
  tell(message) {
    this.message = message;
    clearTimeout(this._forget);
    this._forget = setTimeout(() => {
      this.message = "";
      this.draw();
    }, 8000);
    this.draw();
  }

  /** Draw what has changed, once a frame. */
  draw() {
    if (this._drawing) {
      return;
    }
    this._drawing = true;
    requestAnimationFrame(() => {
      this._drawing = false;
      render(this._frame(), /** @type {HTMLElement} */ (document.getElementById("app")));
      this.page.drawn?.();
    });
  }

  _frame() {
    const here = location.hash.replace(/^#\/?/, "").split("/")[0];
    return html`
      <a class="skip" href="#main" @click=${(/** @type {Event} */ event) => {
        event.preventDefault();
        document.getElementById("main")?.focus();
      }}>Skip to the content</a>
      <header>
        <a class="name" href="#/">txlb</a>
        <nav aria-label="Pages">${PLACES.map(
          ([path, title]) => html`<a href="#/${path}" aria-current=${here === path ? "page" : nothing}>${title}</a>`,
        )}</nav>
        <div class="right">
          ${this.model.connected ? nothing : html`<span class="bad" role="status">no connection; trying again</span>`}
          ${this.may("full")
            ? html`<button type="button" @click=${() => this._guard(changes.reload)}>Reload</button>
                <button type="button" @click=${() => this._guard(changes.save)}>Save</button>
                <button type="button" @click=${() => this._guard(changes.upgrade)}>Upgrade</button>`
            : nothing}
          <span class="who">${this.session.user ?? this.session.name} <small>${this.session.access}</small></span>
          <button type="button" aria-label="Change between dark and light" @click=${turn}>◐</button>
          <button type="button" @click=${leave}>Log out</button>
        </div>
      </header>
      ${this.message ? html`<pre class="message" role="status">${this.message}</pre>` : nothing}
      <main id="main" tabindex="-1"><h1 class="hidden">txlb: ${this.page.title()}</h1>${this.model.loaded ? this.page.render() : html`<p class="empty">Loading …</p>`}</main>
      <footer>txlb ${this.session.version ?? ""} · <a href="#/rest">REST</a> · <a href="metrics">metrics</a></footer>`;
  }

  /** @param {() => Promise<any>} action */
  async _guard(action) {
    try {
      await action();
    } catch (error) {
      this.tell(error instanceof Error ? error.message : String(error));
    }
  }
}

async function leave() {
  await post("api/v1/logout").catch(() => null);
  location.assign("login");
}

/** Change between dark and light. */
function turn() {
  const root = document.documentElement;
  const dark = root.dataset.theme
    ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  localStorage.setItem("theme", root.dataset.theme);
}
