// The page on which users log in.

import "./theme.js";
import { post, Problem } from "./api.js";

const form = /** @type {HTMLFormElement} */ (document.getElementById("login"));
const problem = /** @type {HTMLElement} */ (document.getElementById("problem"));

/** @type {HTMLInputElement} */ (form.elements.namedItem("user")).focus();

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  problem.hidden = true;
  const given = new FormData(form);
  try {
    await post("api/v1/login", { user: given.get("user"), password: given.get("password") });
    location.assign(".");
  } catch (error) {
    problem.textContent = error instanceof Problem ? error.message : String(error);
    problem.hidden = false;
  }
});
