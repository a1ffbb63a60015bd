// The page on which users log in, and answer what the source of their login asks.

import "./theme.js";
import { post, Problem } from "./api.js";

/** @param {string} name */
const element = (name) => /** @type {HTMLElement} */ (document.getElementById(name));

const form = /** @type {HTMLFormElement} */ (element("login"));
const question = /** @type {HTMLFormElement} */ (element("question"));
const problem = element("problem");

/** What goes with the next answer. */
let continuation = "";

/** @param {HTMLFormElement} shown @param {string} field */
function show(shown, field) {
  element("first").hidden = shown !== form;
  element("second").hidden = shown !== question;
  const input = /** @type {HTMLInputElement} */ (shown.elements.namedItem(field));
  input.focus();
}

/** @param {string} text */
function tell(text) {
  problem.textContent = text;
  problem.hidden = !text;
}

/** @param {object} given */
async function logIn(given) {
  tell("");
  try {
    await post("api/v1/login", given);
    location.assign(".");
  } catch (error) {
    const told = error instanceof Problem ? error.told : null;
    if (typeof told?.continuation === "string") {
      continuation = told.continuation;
      element("challenge").textContent = String(told.challenge);
      const answer = /** @type {HTMLInputElement} */ (question.elements.namedItem("answer"));
      answer.value = "";
      // The source of the login says whether the answer may be seen while it is typed.
      answer.type = told.echo === true ? "text" : "password";
      show(question, "answer");
      return;
    }
    if (continuation) {
      again();
    }
    tell(error instanceof Problem ? error.message : String(error));
  }
}

/** Begin a new login: an answer counts once. */
function again() {
  continuation = "";
  /** @type {HTMLInputElement} */ (form.elements.namedItem("password")).value = "";
  show(form, "user");
}

show(form, "user");

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const given = new FormData(form);
  logIn({ user: given.get("user"), password: given.get("password") });
});

question.addEventListener("submit", (event) => {
  event.preventDefault();
  logIn({ continuation, answer: new FormData(question).get("answer") });
});

question.addEventListener("reset", () => {
  tell("");
  again();
});
