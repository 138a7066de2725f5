// Keeps every "how long ago" true while the page stands open. The server's clock is the one that counts.
import { say } from "./words.js";

const ahead = Number(document.body.dataset.now || Date.now()) - Date.now();
export const now = () => Date.now() + ahead;

// A duration in at most two units; moments.py says the same of the same.
export function span(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return say("span.seconds", { n: whole });
  if (whole < 3600) return say("span.minutes", { n: Math.floor(whole / 60) });
  if (whole < 86400) return say("span.hours", { h: Math.floor(whole / 3600), m: Math.floor((whole % 3600) / 60) });
  return say("span.days", { d: Math.floor(whole / 86400), h: Math.floor((whole % 86400) / 3600) });
}

export function ago(seconds) {
  const whole = Math.floor(seconds);
  if (whole < -5) return say("ago.ahead", { span: span(-whole) });
  if (whole < 5) return say("ago.now");
  if (whole < 60) return say("ago.seconds", { n: whole });
  if (whole < 3600) return say("ago.minutes", { n: Math.floor(whole / 60) });
  if (whole < 86400) return say("ago.hours", { n: Math.floor(whole / 3600) });
  return say("ago.days", { n: Math.floor(whole / 86400) });
}

function due(element, seconds) {
  element.classList.toggle("late", seconds > 0);
  return say(seconds > 0 ? "task.overdue" : "task.due_in", { span: span(Math.abs(seconds)) });
}

function put(element, text) {
  if (!element.dataset.exact && element.textContent !== text) element.textContent = text;
}

export function tick(root = document) {
  const present = now();
  const seconds = (element) => (present - Date.parse(element.dateTime)) / 1000;
  for (const one of root.querySelectorAll("time[data-ago]")) put(one, ago(seconds(one)));
  for (const one of root.querySelectorAll("time[data-since]")) put(one, span(seconds(one)));
  for (const one of root.querySelectorAll("time[data-due]")) put(one, due(one, seconds(one)));
}

// A finger cannot hover: a tap shows the exact time, another how long ago.
document.addEventListener("click", (event) => {
  const time = event.target.closest?.("time[title]");
  if (!time || time.closest("a, button, summary")) return;
  if (time.dataset.exact) delete time.dataset.exact;
  else {
    time.dataset.exact = "yes";
    time.textContent = time.title;
  }
  tick();
});
setInterval(tick, 5000, document);
