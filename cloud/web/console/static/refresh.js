// Asks for this very page again and takes over what differs, in place, so that nothing jumps under the reader.
import { banner } from "./shell.js";
import { tick } from "./moments.js";
import { say } from "./words.js";

const SHORTEST_MS = 400;

async function fetchPage() {
  const response = await fetch(location.href, { credentials: "same-origin", cache: "no-store" });
  if (response.redirected && new URL(response.url).pathname === "/sign-in") {
    banner(say("shell.signed_out"));
    return null;
  }
  if (!response.ok) return null;
  return new DOMParser().parseFromString(await response.text(), "text/html");
}

// Times pass by themselves and are no difference.
const bare = (element) => element.innerHTML.replace(/>[^<]*<\/time>/g, "></time>");
export const differs = (one, other) => bare(one) !== bare(other);

function replacePart(old, fresh) {
  if (!differs(old, fresh)) return;
  const focused = old.contains(document.activeElement) ? document.activeElement : null;
  if (focused?.matches("input, textarea, select")) return;
  const open = [...old.querySelectorAll("details")].map((one) => one.open);
  old.replaceChildren(...fresh.childNodes);
  old.querySelectorAll("details").forEach((one, place) => (one.open = Boolean(open[place])));
  if (focused) {
    const again = [...old.querySelectorAll("button, a[href]")].find((one) => one.textContent === focused.textContent);
    (again ?? document.getElementById("main")).focus({ preventScroll: true });
  }
}

export function replaceParts(page) {
  for (const old of document.querySelectorAll("[data-part]")) {
    const fresh = page.querySelector(`[data-part="${old.dataset.part}"]`);
    if (fresh) replacePart(old, fresh);
  }
}

// New entries come in at the top of a list; the others stay as they are.
export function prependNew(list, page) {
  const fresh = page.querySelector(`[data-list="${list.dataset.list}"]`);
  const known = new Set([...list.children].map((one) => one.dataset.key));
  const added = [...(fresh?.children ?? [])].filter((one) => !known.has(one.dataset.key));
  for (const one of added) one.classList.add("new");
  list.prepend(...added);
}

// Returns a function to call as often as one likes; pages are asked for one at a time, with a pause between.
export function refresher(take) {
  let running = false;
  let wanted = false;

  async function run() {
    if (running) {
      wanted = true;
      return;
    }
    running = true;
    do {
      wanted = false;
      try {
        const page = await fetchPage();
        if (page) {
          take(page);
          tick();
        }
      } catch {
        // The live sign says that we are cut off; the next event or reconnection tries again.
      }
      await new Promise((resolve) => setTimeout(resolve, SHORTEST_MS));
    } while (wanted);
    running = false;
  }

  return run;
}
