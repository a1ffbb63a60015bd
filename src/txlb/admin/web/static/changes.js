// What administrators can change, each with its question.

import { html } from "./lit.js";
import { get, pathOf, post, put } from "./api.js";
import { ask, lines } from "./dialog.js";
import { counted } from "./format.js";

/** @typedef {import("./model.js").Host} Host */
/** @typedef {import("./model.js").Group} Group */

/** @param {Host} host */
const path = (host) => pathOf(host.service, host.group, host.name);

/** @param {Host} host */
const open = (host) => counted(host.active, "open connection");

/** @param {string} value a time such as 30s; empty for none */
const deadline = (value) => (value.trim() === "" ? {} : { deadline: value.trim() });

const DEADLINE = {
  name: "deadline",
  label: "Reset what is left after",
  hint: "such as 30s or 5m; empty for never",
};

/** @param {Host} host */
export function drain(host) {
  ask({
    title: `Drain ${host.name}`,
    text: html`<p>${host.key} gets no new connection. Its ${open(host)} go on.</p>`,
    action: "Drain",
    fields: [DEADLINE],
    act: (values) => post(`${path(host)}/drain`, deadline(values.deadline)),
  });
}

/** @param {Host} host */
export function maintenance(host) {
  ask({
    title: `Maintenance of ${host.name}`,
    text: html`<p>${host.key} gets no new connection and is not checked. Its ${open(host)} go on.</p>`,
    action: "Begin maintenance",
    fields: [DEADLINE],
    act: (values) => post(`${path(host)}/maintenance`, deadline(values.deadline)),
  });
}

/** @param {Host} host */
export function ready(host) {
  ask({
    title: `Bring ${host.name} back`,
    text: html`<p>${host.key} gets new connections again if it is up.</p>`,
    action: "Bring back",
    act: () => post(`${path(host)}/ready`),
  });
}

/** @param {Host} host */
export function weight(host) {
  ask({
    title: `Weight of ${host.name}`,
    text: html`<p>The weight is the share of new connections beside the other hosts of
      ${host.service}/${host.group}. With 0 it gets none. Its ${open(host)} go on.</p>`,
    action: "Set weight",
    fields: [{ name: "weight", label: "Weight, 0 to 65535", type: "number", value: host.weight, required: true }],
    act: (values) => post(`${path(host)}/weight`, { weight: Number(values.weight) }),
  });
}

/** @param {Host} host */
export function remove(host) {
  ask({
    title: `Remove ${host.name}`,
    text: html`<p>${host.key} is taken out of its group. Its ${open(host)} go on.</p>`,
    action: "Remove",
    grave: true,
    fields: [DEADLINE],
    act: (values) => post(`${path(host)}/remove`, deadline(values.deadline)),
  });
}

/** @param {string} service @param {Group} group */
export function add(service, group) {
  ask({
    title: `Add a host to ${service}/${group.name}`,
    text: html`<p>It gets connections at once, or once a check has passed if the group says so.</p>`,
    action: "Add",
    fields: [
      { name: "name", label: "Name", required: true },
      { name: "address", label: "Address", hint: "host:port or unix:/path", required: true },
      { name: "weight", label: "Weight", type: "number", value: 1, required: true },
    ],
    act: (values) =>
      put(pathOf(service, group.name, values.name), {
        address: values.address,
        weight: Number(values.weight),
      }),
  });
}

/** @param {string} service @param {Group} group @param {string[]} schedulers */
export function scheduler(service, group, schedulers) {
  ask({
    title: `Policy of ${service}/${group.name}`,
    text: html`<p>New connections are given to hosts by another policy. Counts and open connections stay.</p>`,
    action: "Set policy",
    fields: [{ name: "scheduler", label: "Policy", value: group.scheduler, choices: schedulers }],
    act: (values) => post(`${pathOf(service, group.name)}/scheduler`, { scheduler: values.scheduler }),
  });
}

/** @param {string} service @param {string} from @param {Group} to */
export function switchGroup(service, from, to) {
  ask({
    title: `Switch ${service} to ${to.name}`,
    text: html`<p>New connections of ${service} go to ${to.name}, which has
      ${counted(to.ready, "ready host")}, and no longer to ${from}. Open connections go on.</p>`,
    action: "Switch",
    act: () => post(`${pathOf(service, to.name)}/switch-group`),
  });
}

/** @param {string} listener @param {string[]} addresses @param {() => void} done */
export function switchPort(listener, addresses, done) {
  ask({
    title: `Move ${listener}`,
    text: html`<p>${listener} listens on another address, and then no longer on ${addresses.join(", ")}. Open
      connections go on.</p>`,
    action: "Move",
    fields: [{ name: "address", label: "Port or address", value: addresses[0] ?? "", required: true }],
    act: (values) => post(`api/v1/listeners/${encodeURIComponent(listener)}/switch-port`, { address: values.address }).then((answer) => {
        done();
        return answer;
      }),
  });
}

/** Show the plan of a reload, and then do it. */
export async function reload() {
  const plan = lines(await post("api/v1/plan"));
  ask({
    title: "Reload the file",
    text: plan
      ? html`<p>The file differs from what runs. A reload changes this:</p><pre class="diff">${plan}</pre>`
      : html`<p>The file says what runs already.</p>`,
    action: "Reload",
    act: () => post("api/v1/reload"),
  });
}

/** Show what a save writes, and then do it. */
export async function save() {
  const diff = lines(await get("api/v1/diff"));
  ask({
    title: "Save to the file",
    text: diff
      ? html`<p>These live changes are written to the file:</p><pre class="diff">${diff}</pre>`
      : html`<p>Nothing was changed live.</p>`,
    action: "Save",
    act: () => post("api/v1/save"),
  });
}

/** Show what an upgrade would move, and then do it. */
export async function upgrade() {
  const check = lines(await post("api/v1/upgrade", { check: true }));
  ask({
    title: "Upgrade",
    text: html`<p>A new process takes the place of this one, with the code and the file that are there
      now. Connections move to it where that can be:</p><pre class="diff">${check}</pre>`,
    action: "Upgrade",
    grave: true,
    act: () => post("api/v1/upgrade"),
  });
}

export function roll() {
  ask({
    title: "Roll the clones",
    text: html`<p>Clones are replaced one by one by new processes. Each finishes what it has.</p>`,
    action: "Roll",
    act: () => post("api/v1/roll"),
  });
}

/**
 * What undoes an event; nothing if that can't be.
 * @param {import("./model.js").BalancerEvent} event
 */
export function undoOf(event) {
  const [service, group, name] = event.key;
  const before = event.details?.before;
  if (name === undefined || before === undefined || before === null) {
    return undefined;
  }
  const place = pathOf(service, group, name);
  if (event.kind === "host-weight") {
    return { text: `weight ${before}`, act: () => post(`${place}/weight`, { weight: before }) };
  }
  if (event.kind === "host-state" && ["ready", "drain", "maintenance"].includes(before)) {
    return { text: before, act: () => post(`${place}/${before}`) };
  }
  return undefined;
}

/** @param {import("./model.js").BalancerEvent} event */
export function undo(event) {
  const way = undoOf(event);
  if (way !== undefined) {
    ask({
      title: `Undo: ${event.kind} of ${event.key.join("/")}`,
      text: html`<p>${event.message}. It becomes ${way.text} again.</p>`,
      action: "Undo",
      act: way.act,
    });
  }
}
