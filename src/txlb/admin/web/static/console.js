// The overview: a table of all hosts.

const main = /** @type {HTMLElement} */ (document.getElementById("main"));
const user = /** @type {HTMLElement} */ (document.getElementById("user"));

/** @param {string} tag @param {string} text */
function element(tag, text) {
  const made = document.createElement(tag);
  made.textContent = text;
  return made;
}

/** @param {string} path */
async function get(path) {
  const answer = await fetch(path);
  if (answer.status === 401) {
    location.assign("login");
  }
  return answer.json();
}

async function show() {
  const overview = await get("api/v1/overview");
  const shown = ["name", "address", "state", "weight", "active", "connections", "failures"];
  const places = shown.map((name) => overview.columns.indexOf(name));
  const sections = [];
  for (const service of overview.services) {
    for (const group of service.groups) {
      const table = document.createElement("table");
      table.append(element("caption", `${service.name}/${group.name}`));
      const head = document.createElement("tr");
      head.append(...shown.map((name) => element("th", name)));
      table.append(head);
      for (const host of group.hosts) {
        const row = document.createElement("tr");
        row.append(...places.map((place) => element("td", String(host[place]))));
        table.append(row);
      }
      sections.push(table);
    }
  }
  main.replaceChildren(...sections);
}

document.getElementById("logout")?.addEventListener("click", async () => {
  await fetch("api/v1/logout", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
  });
  location.assign("login");
});

const session = await get("api/v1/session");
user.textContent = `${session.user ?? session.name} (${session.access})`;
await show();
const events = new EventSource("api/v1/events");
for (const name of ["event", "update", "gap"]) {
  events.addEventListener(name, show);
}
