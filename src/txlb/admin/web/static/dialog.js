// Questions before a change.

import { html, render, nothing } from "./lit.js";
import { Problem } from "./api.js";

/**
 * @typedef {object} Field
 * @property {string} name
 * @property {string} label
 * @property {string} [type] of the input; text by default
 * @property {string | number} [value]
 * @property {string} [hint]
 * @property {string[]} [choices]
 * @property {boolean} [required]
 *
 * @typedef {object} Question
 * @property {string} title
 * @property {any} text what will be done
 * @property {string} action the word on the button
 * @property {boolean} [grave] whether it can't be undone
 * @property {Field[]} [fields]
 * @property {(values: Record<string, string>) => Promise<any>} act does it
 */

/** @type {(message: string) => void} */
let tell = () => {};

/**
 * Say where results are told.
 * @param {(message: string) => void} teller
 */
export function tellBy(teller) {
  tell = teller;
}

/**
 * Ask, and do it. An error is told in the dialog, and nothing is lost.
 * @param {Question} question
 */
export function ask(question) {
  const dialog = document.createElement("dialog");
  document.body.append(dialog);
  const opener = /** @type {HTMLElement | null} */ (document.activeElement);
  let problem = "";
  let busy = false;

  /** @param {SubmitEvent} event */
  async function submit(event) {
    event.preventDefault();
    if (busy) {
      return;
    }
    const form = /** @type {HTMLFormElement} */ (event.target);
    const values = Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, String(value)]));
    busy = true;
    problem = "";
    draw();
    try {
      const answer = await question.act(values);
      dialog.close();
      tell(lines(answer) || `${question.title}: done`);
    } catch (error) {
      problem = error instanceof Problem ? error.message : String(error);
      busy = false;
      draw();
    }
  }

  function draw() {
    render(
      html`<form method="dialog" @submit=${submit} aria-labelledby="question">
        <h2 id="question">${question.title}</h2>
        <div class="question">${question.text}</div>
        ${(question.fields ?? []).map(input)}
        ${problem ? html`<p class="problem" role="alert">${problem}</p>` : nothing}
        <div class="buttons">
          <button type="button" @click=${() => dialog.close()}>Cancel</button>
          <button type="submit" class=${question.grave ? "primary grave" : "primary"} ?disabled=${busy}>
            ${question.action}
          </button>
        </div>
      </form>`,
      dialog,
    );
  }

  dialog.addEventListener("close", () => {
    dialog.remove();
    opener?.focus();
  });
  draw();
  dialog.showModal();
}

/** @param {Field} field */
function input(field) {
  const hint = field.hint ? html`<small>${field.hint}</small>` : nothing;
  if (field.choices) {
    return html`<label>${field.label}
      <select name=${field.name}>
        ${field.choices.map((each) => html`<option ?selected=${each === field.value}>${each}</option>`)}
      </select>${hint}</label>`;
  }
  return html`<label>${field.label}
    <input name=${field.name} type=${field.type ?? "text"} .value=${String(field.value ?? "")}
      ?required=${field.required ?? false} autocomplete="off">${hint}</label>`;
}

/**
 * The text of an answer, as the command line prints it.
 * @param {any} answer
 */
export function lines(answer) {
  const rows = answer?.rows ?? [];
  return rows.map((/** @type {any} */ row) => row.text ?? "").filter(Boolean).join("\n");
}
