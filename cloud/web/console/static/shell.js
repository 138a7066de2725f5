// What every page has: language, appearance, sign-out, the banner, and times that stay true.
import { change, NotReached, SignedOut } from "./api.js";
import { say } from "./words.js";
import "./moments.js";

const YEAR_S = 31536000;

function remember(name, value) {
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `${name}=${value}; Path=/; Max-Age=${YEAR_S}; SameSite=Lax${secure}`;
}

// One line over the page. An empty text takes it away.
export function banner(text) {
  const line = document.getElementById("banner");
  line.textContent = text;
  line.hidden = !text;
}

export function tell(wrong) {
  if (wrong instanceof SignedOut) banner(say("shell.signed_out"));
  else if (wrong instanceof NotReached) banner(say(navigator.onLine ? "shell.stale" : "shell.offline"));
  else banner(say("shell.failed", { message: wrong.message }));
}

// Runs one act of a button: the button waits, errors are told, the page stays.
export async function act(button, work) {
  button.disabled = true;
  try {
    const result = await work();
    banner("");
    return result;
  } catch (wrong) {
    tell(wrong);
    return null;
  } finally {
    button.disabled = false;
  }
}

document.querySelector("[data-language]")?.addEventListener("change", (event) => {
  const language = event.target.value;
  remember("lm_language", language);
  // A person's language goes with them to other devices; where that cannot be stored, this browser remembers.
  const stored = document.body.dataset.login ? change("PATCH", "/me", { language }).catch(() => null) : null;
  Promise.resolve(stored).then(() => location.reload());
});
document.querySelector("[data-theme-switch]")?.addEventListener("change", (event) => {
  remember("lm_theme", event.target.value);
  document.documentElement.dataset.theme = event.target.value;
});
document.querySelector("[data-sign-out]")?.addEventListener("click", (event) =>
  act(event.target, async () => {
    await change("DELETE", "/session");
    location.assign("/sign-in");
  }),
);
document.querySelector("form[data-auto]")?.addEventListener("change", (event) => event.currentTarget.requestSubmit());
for (const button of document.querySelectorAll("[data-apply]")) button.hidden = true;
document.addEventListener("click", (event) => {
  if (event.target.matches("[data-close]")) event.target.closest("dialog").close();
});
