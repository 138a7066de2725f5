// One incident: acknowledge, resolve, note; its chart; its timeline as it grows.
import { post } from "./api.js";
import { Chart } from "./chart.js";
import { listen } from "./live.js";
import { prependNew, refresher, replaceParts } from "./refresh.js";
import { act } from "./shell.js";

const id = document.body.dataset.incident;
const path = `/incidents/${encodeURIComponent(id)}`;
const dialog = document.getElementById("resolve");
const timeline = document.querySelector('[data-list="timeline"]');

const refresh = refresher((page) => {
  replaceParts(page);
  choose(alerts().find((one) => one.id === chart?.alert?.id));
  document.title = page.title;
  prependNew(timeline, page);
  const empty = document.querySelector("[data-empty]");
  if (empty) empty.hidden = timeline.children.length > 0;
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.dataset.act === "acknowledge") act(button, () => post(`${path}/acknowledge`)).then(refresh);
  if (button?.dataset.open === "resolve") dialog.showModal();
  if (button?.dataset.moment) recall(button);
  if (button?.dataset.show) choose(alerts().find((one) => one.id === button.dataset.show));
});

document.querySelector("[data-resolve]")?.addEventListener("submit", (event) => {
  const reason = event.target.elements.text.value.trim();
  act(event.submitter, () => post(`${path}/resolve`, { reason })).then(refresh);
});

document.querySelector("[data-note]")?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const field = event.target.elements.text;
  const text = field.value.trim();
  if (!text) return;
  const stored = await act(event.submitter, async () => {
    await post(`${path}/note`, { text });
    return true;
  });
  if (stored) field.value = "";
  refresh();
});

function alerts() {
  return [...document.querySelectorAll("[data-alert]")].map((one) => JSON.parse(one.dataset.alert));
}

const box = document.getElementById("chart");
const chart = box && new Chart(box);

function choose(alert) {
  if (!chart || !alert) return;
  for (const one of document.querySelectorAll("[data-show]")) one.setAttribute("aria-pressed", String(one.dataset.show === alert.id));
  if (chart.alert?.id !== alert.id) chart.choose(alert);
}

// The same channel at a past moment, in the chart at the top.
function recall(button) {
  const alert = alerts().find((one) => one.id === button.dataset.of);
  if (!chart || !alert) return;
  chart.recall(alert, Number(button.dataset.moment));
  box.scrollIntoView({ block: "nearest" });
}

choose(alerts().find((one) => one.channel !== null) ?? alerts()[0]);

listen((kind, event) => {
  if (kind === "again" || event.data.includes(id)) refresh();
});
