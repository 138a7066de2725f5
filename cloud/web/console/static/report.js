// A person opens an incident.
import { get, post } from "./api.js";
import { act } from "./shell.js";
import { say } from "./words.js";

const form = document.querySelector("[data-report]");

const AGAIN_MS = 2000;
let asked = 0;

// A server that is slow or away for a moment must not leave a site without places; another site chosen meanwhile counts.
async function listPlaces() {
  const turn = ++asked;
  const { site, place } = form.elements;
  let answer = null;
  while (!answer && turn === asked) {
    answer = await get(`/places?site=${encodeURIComponent(site.value)}`).catch(() => null);
    if (!answer) await new Promise((done) => setTimeout(done, AGAIN_MS));
  }
  if (turn !== asked) return;
  const places = answer.items;
  const names = new Map(places.map((one) => [one.path, one.name]));
  const full = (path) => path.split("/").map((_, depth, parts) => names.get(parts.slice(0, depth + 1).join("/")) ?? parts[depth]).join(" / ");
  const options = places.map((one) => new Option(full(one.path), one.path));
  place.replaceChildren(place.options[0], ...options);
}

function complain(text) {
  const problem = form.querySelector("[data-problem]");
  problem.textContent = text;
  problem.hidden = !text;
}

if (form) {
  listPlaces();
  form.elements.site.addEventListener("change", listPlaces);
  form.noValidate = true;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const { site, place, hazard, severity, summary } = form.elements;
    complain(summary.value.trim() ? "" : say("report.summary_needed"));
    if (!summary.value.trim()) return summary.focus();
    const report = { site: site.value, place: place.value || null, hazard: hazard.value, severity: severity.value };
    const made = await act(event.submitter, () => post("/incidents", { ...report, summary: summary.value.trim() }));
    if (made) location.assign(`/incidents/${encodeURIComponent(made.id)}`);
    return null;
  });
}
