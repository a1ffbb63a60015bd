// The states of hosts: a word, a sign and a class, so that no state is told by its colour alone.

/** @type {Record<string, [string, string]>} the class and the sign of each state */
const STATES = {
  up: ["good", "●"],
  unchecked: ["good", "○"],
  "going-down": ["warn", "◐"],
  "coming-up": ["warn", "◑"],
  starting: ["warn", "◌"],
  trial: ["warn", "◑"],
  down: ["bad", "✕"],
  unresolved: ["bad", "?"],
  standby: ["calm", "◇"],
  drain: ["calm", "▽"],
  draining: ["calm", "▽"],
  maintenance: ["calm", "▪"],
  disabled: ["calm", "▪"],
  leaving: ["calm", "▽"],
};

/** @param {string} state */
export function stateClass(state) {
  return (STATES[state] ?? ["warn", "?"])[0];
}

/** @param {string} state */
export function stateSign(state) {
  return (STATES[state] ?? ["warn", "◆"])[1];
}

/** @param {string} state whether an administrator should look at it */
export function isBad(state) {
  return stateClass(state) === "bad" || stateClass(state) === "warn";
}
