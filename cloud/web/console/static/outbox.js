// What a worker pressed, kept on the device until the server has stored it; survives a closed page and no network.
import { NotReached, post, SignedOut } from "./api.js";

const NAME = "lm.outbox";
const login = document.body.dataset.login;

// 32 hexadecimal digits; made once for an answer and the same on every retry.
export function makeKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function all() {
  try {
    return JSON.parse(localStorage.getItem(NAME)) ?? [];
  } catch {
    return [];
  }
}

const store = (entries) => localStorage.setItem(NAME, JSON.stringify(entries));

// Entries of whoever is signed in; what another person pressed on this device waits for that person.
export const pending = (task) => all().filter((one) => one.login === login && (!task || one.task === task));

export function put(task, step, body) {
  const others = all().filter((one) => !(one.login === login && one.task === task && one.step === step));
  store([...others, { id: makeKey(), login, task, step, body }]);
}

export function discard(id) {
  store(all().filter((one) => one.id !== id));
}

function refuse(id, message) {
  store(all().map((one) => (one.id === id ? { ...one, refused: message } : one)));
}

async function sendOne(entry) {
  await post(`/tasks/${encodeURIComponent(entry.task)}/${entry.step}`, entry.body);
  discard(entry.id);
}

let running = null;

// Sends what waits, in order. Returns "empty", "offline", "signed_out" or "refused".
export function flush() {
  running ??= sendAll().finally(() => (running = null));
  return running;
}

async function sendAll() {
  let result = "empty";
  for (const entry of pending()) {
    if (entry.refused) {
      result = "refused";
      continue;
    }
    try {
      await sendOne(entry);
    } catch (wrong) {
      if (wrong instanceof SignedOut) return "signed_out";
      if (wrong instanceof NotReached || wrong.status === 429) return "offline";
      // A step the task has passed already is no loss; an answer is, so it is shown and stays until discarded.
      if (entry.step === "outcome") {
        refuse(entry.id, wrong.message);
        result = "refused";
      } else discard(entry.id);
    }
  }
  return result;
}
