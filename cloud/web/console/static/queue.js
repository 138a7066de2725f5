// The live queue. Counts change at once; new rows wait while somebody reads and say so, else slide in at the top.
import { post } from "./api.js";
import { listen } from "./live.js";
import { tick } from "./moments.js";
import { differs, refresher, replaceParts } from "./refresh.js";
import { act } from "./shell.js";
import { say } from "./words.js";

const READING_MS = 10000;
let lastActivity = -READING_MS;
let newest = null;
const isReading = () => performance.now() - lastActivity < READING_MS;
for (const kind of ["pointermove", "pointerdown", "keydown", "wheel", "touchmove"])
  addEventListener(kind, () => (lastActivity = performance.now()), { passive: true });

const lists = [...document.querySelectorAll("ol[data-list]")];
const keyed = (list) => new Map([...(list?.children ?? [])].map((row) => [row.dataset.key, row]));
const freshList = (page, list) => page.querySelector(`ol[data-list="${list.dataset.list}"]`);

function updateRow(old, fresh) {
  if (!differs(old, fresh)) return;
  const focused = old.contains(document.activeElement);
  old.replaceChildren(...fresh.cloneNode(true).childNodes);
  if (focused) old.querySelector("a").focus({ preventScroll: true });
}

function markGone(row) {
  if (row.classList.contains("gone")) return;
  row.classList.add("gone");
  row.querySelector(".row-act").textContent = say("queue.gone");
}

function announce(list, waiting) {
  const button = list.closest("section").querySelector("[data-fresh]");
  button.hidden = waiting.length === 0;
  button.textContent = waiting.length ? say("queue.fresh", { n: waiting.length }) : "";
}

function slideIn(list, rows) {
  for (const row of rows) {
    const copy = row.cloneNode(true);
    copy.classList.add("new");
    list.prepend(copy);
  }
  list.closest("section").querySelector("[data-empty]").hidden = list.children.length > 0;
}

function takeList(list, page, may) {
  const old = keyed(list);
  const fresh = keyed(freshList(page, list));
  for (const [key, row] of old) fresh.has(key) ? updateRow(row, fresh.get(key)) : markGone(row);
  const added = [...fresh].filter(([key]) => !old.has(key)).map(([, row]) => row);
  if (may || old.size === 0) slideIn(list, added.reverse());
  announce(list, may || old.size === 0 ? [] : added);
}

function take(page) {
  newest = page;
  replaceParts(page);
  document.title = page.title;
  for (const list of lists) takeList(list, page, !isReading());
}

// The order, too, is brought up to date, because it was asked for.
function showAll(list) {
  const fresh = freshList(newest, list);
  const known = keyed(list);
  const rows = [...fresh.children].map((row) => {
    const copy = row.cloneNode(true);
    copy.classList.toggle("new", !known.has(row.dataset.key));
    return copy;
  });
  list.replaceChildren(...rows);
  list.closest("section").querySelector("[data-empty]").hidden = rows.length > 0;
  announce(list, []);
  tick(list);
}

const refresh = refresher(take);

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.matches("[data-fresh]")) {
    const list = button.closest("section").querySelector("ol[data-list]");
    showAll(list);
    list.querySelector("a")?.focus({ preventScroll: true });
  }
  if (button.dataset.act === "acknowledge")
    act(button, () => post(`/incidents/${encodeURIComponent(button.dataset.incident)}/acknowledge`)).then(refresh);
});

setInterval(() => {
  if (newest && !isReading() && document.querySelector("[data-fresh]:not([hidden])")) take(newest);
}, 2000);
listen(() => refresh());
