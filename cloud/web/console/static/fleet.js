// Gateways, live; the ledger of one on request.
import { get } from "./api.js";
import { listen } from "./live.js";
import { refresher, replaceParts } from "./refresh.js";
import { act } from "./shell.js";
import { knows, say } from "./words.js";

const COLUMNS = ["highest", "missing", "duplicates", "quarantined", "gaps", "outages"];
const dialog = document.getElementById("ledger");
const body = dialog.querySelector("[data-ledger-body]");

const refresh = refresher(replaceParts);

function cell(kind, text) {
  const element = document.createElement(kind);
  element.textContent = text;
  return element;
}

const count = (value) => (Array.isArray(value) ? value.length : (value ?? 0));

function table(streams) {
  const result = document.createElement("table");
  const head = result.createTHead().insertRow();
  head.append(cell("th", say("fleet.ledger_stream")), ...COLUMNS.map((name) => cell("th", say(`fleet.ledger_${name}`))));
  const rows = result.createTBody();
  for (const one of streams) {
    const key = `fleet.stream_${one.stream}`;
    rows.insertRow().append(
      cell("th", knows(key) ? say(key) : String(one.stream)),
      ...COLUMNS.map((name) => cell("td", String(count(one[name])))),
    );
  }
  return result;
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-ledger]");
  if (!button) return;
  const gateway = button.dataset.ledger;
  const ledger = await act(button, () => get(`/ledger?gateway=${encodeURIComponent(gateway)}`));
  if (!ledger) return;
  dialog.querySelector("[data-ledger-title]").textContent = say("fleet.ledger_title", { gateway });
  const streams = ledger.streams ?? [];
  body.replaceChildren(streams.length ? table(streams) : cell("p", say("fleet.ledger_empty")));
  dialog.showModal();
});

listen((kind) => {
  if (kind === "again" || kind === "gateway.changed" || kind === "config.reported") refresh();
});
setInterval(refresh, 30000); // silence is no event
