// Tells what of a worker's answers has not reached the server yet, and keeps trying.
import { discard, flush, pending } from "./outbox.js";
import { say } from "./words.js";

const AGAIN_MS = 10000;
const line = document.querySelector("[data-pending]");
const task = document.body.dataset.task;

function words(state) {
  if (!navigator.onLine) return say("work.kept_offline");
  if (state === "signed_out") return say("work.kept_signed_out");
  return say(state === "offline" ? "work.kept_offline" : "work.kept");
}

function refusedNotice(entry) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = say("work.discard");
  button.addEventListener("click", () => {
    discard(entry.id);
    show("empty");
  });
  return [document.createTextNode(`${say("work.refused", { message: entry.refused })} `), button];
}

export function show(state) {
  const waiting = pending(task);
  const refused = waiting.find((one) => one.refused);
  line.hidden = waiting.length === 0;
  if (refused) line.replaceChildren(...refusedNotice(refused));
  else line.textContent = waiting.length ? `${say("work.pending", { n: waiting.length })}. ${words(state)}` : "";
}

// Tries now, and again when the network is back; `sent` is called when everything has been stored.
export function keepTrying(sent) {
  async function tryNow() {
    const before = pending(task).length;
    if (!pending().length) return show("empty");
    const state = await flush();
    show(state);
    if (pending(task).length < before) sent();
  }
  addEventListener("online", tryNow);
  addEventListener("offline", () => show("offline"));
  setInterval(tryNow, AGAIN_MS);
  tryNow();
  return tryNow;
}
