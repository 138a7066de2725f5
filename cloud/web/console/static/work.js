// A worker's list, live.
import { listen } from "./live.js";
import { keepTrying } from "./pending.js";
import { refresher, replaceParts } from "./refresh.js";

const refresh = refresher((page) => {
  const hadNone = !document.querySelector('[data-part="waiting"]').children.length;
  replaceParts(page);
  document.title = page.title;
  const empty = document.querySelector(".empty");
  if (hadNone && empty) empty.hidden = Boolean(document.querySelector('[data-part="waiting"]').children.length);
});

keepTrying(refresh);
listen((kind) => {
  if (kind === "again" || kind.startsWith("task.") || kind.startsWith("incident.") || kind === "outcome.recorded") refresh();
});
