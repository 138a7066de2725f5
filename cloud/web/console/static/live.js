// The event stream: says what changed, and says so when it cannot.
import { say } from "./words.js";

const KINDS = [
  "alert.fired", "alert.resolved", "incident.opened", "incident.changed", "task.issued", "task.changed",
  "outcome.recorded", "gateway.changed", "config.reported",
];
const LONGEST_MS = 30000;

function show(state) {
  const element = document.getElementById("live");
  if (!element) return;
  element.dataset.state = state;
  element.querySelector("[data-live]").textContent = say(`shell.${state}`);
  element.title = state === "reconnecting" ? say("shell.stale") : "";
}

// Calls `heard(kind, event)` for each event, and with kind "again" whenever the stream was cut and is back.
export function listen(heard) {
  let source;
  let failures = 0;
  let wasCut = false;

  function open() {
    source = new EventSource("/api/v1/events");
    source.onopen = () => {
      failures = 0;
      show("live");
      if (wasCut) heard("again", null);
      wasCut = false;
    };
    source.onerror = () => {
      wasCut = true;
      show("reconnecting");
      if (source.readyState !== EventSource.CLOSED) return;
      failures += 1;
      const wait = Math.min(LONGEST_MS, 1000 * 2 ** failures) * (0.5 + Math.random() / 2);
      setTimeout(open, wait);
    };
    for (const kind of KINDS) source.addEventListener(kind, (event) => heard(kind, event));
  }

  open();
  // A lost network may leave the stream looking open for minutes.
  addEventListener("offline", () => {
    wasCut = true;
    show("reconnecting");
  });
  addEventListener("online", () => {
    source.close();
    open();
  });
  addEventListener("pagehide", () => source.close());
  addEventListener("pageshow", (event) => {
    if (event.persisted) open();
  });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) heard("again", null);
  });
}
