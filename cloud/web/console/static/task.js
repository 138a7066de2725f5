// One task in a worker's hand: accept, on site, answer. Pressed is kept first, then sent.
import { post } from "./api.js";
import { listen } from "./live.js";
import { makeKey, pending, put } from "./outbox.js";
import { keepTrying } from "./pending.js";
import { refresher, replaceParts } from "./refresh.js";
import "./shell.js";
import { say } from "./words.js";

const { task, taskState, mine, incident } = document.body.dataset;
const form = document.querySelector("[data-answer]");

const refresh = refresher((page) => {
  replaceParts(page);
  const fresh = page.querySelector("[data-answer]");
  if (form) form.hidden = !fresh || (fresh.hidden && !form.dataset.ahead);
});
const tryNow = keepTrying(refresh);
if (form && pending(task).some((one) => one.step === "outcome" && !one.refused)) form.hidden = true;

// The device shows it: that is what "delivered" means. Not kept: without network it was not delivered.
if (taskState === "issued" && mine === "yes") post(`/tasks/${encodeURIComponent(task)}/deliver`).then(refresh, () => {});

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-step]");
  if (!button) return;
  button.disabled = true;
  put(task, button.dataset.step);
  if (form) {
    form.hidden = false;
    form.dataset.ahead = "yes"; // may be answered before the server heard of the step
  }
  const waits = () => pending(task).some((one) => one.step === button.dataset.step);
  tryNow().then(() => (button.disabled = waits()));
});

function causeCode(text) {
  const known = [...document.querySelectorAll("#causes option")].find((one) => one.value === text);
  return known ? known.dataset.code : text;
}

function report() {
  const value = form.elements.measured_value.value.trim().replace(",", ".").replace("−", "-");
  return {
    key: makeKey(),
    verdict: form.elements.verdict.value,
    cause: causeCode(form.elements.cause.value.trim()),
    note: form.elements.note.value.trim(),
    measured_value: value === "" ? null : Number(value),
    measured_unit: value === "" ? "" : form.elements.measured_unit.value.trim(),
  };
}

form?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = event.submitter ?? form.querySelector("button");
  button.disabled = true;
  button.textContent = say("work.sending");
  put(task, "outcome", report());
  form.hidden = true;
  delete form.dataset.ahead;
  await tryNow();
  button.disabled = false;
  button.textContent = say("work.send");
});

listen((kind, event) => {
  if (kind === "again" || event.data.includes(task) || event.data.includes(incident)) refresh();
});
