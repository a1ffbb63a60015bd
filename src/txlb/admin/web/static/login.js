// The page on which users log in.

const form = /** @type {HTMLFormElement} */ (document.getElementById("login"));
const problem = /** @type {HTMLElement} */ (document.getElementById("problem"));

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  problem.textContent = "";
  const given = new FormData(form);
  const answer = await fetch("api/v1/login", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ user: given.get("user"), password: given.get("password") }),
  });
  if (answer.ok) {
    location.assign(".");
    return;
  }
  problem.textContent = (await answer.json()).detail;
});
