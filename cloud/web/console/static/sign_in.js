// Signing in. What went wrong is said in words, next to the button.
import { NotReached, post } from "./api.js";
import { span } from "./moments.js";
import "./shell.js";
import { say } from "./words.js";

const form = document.querySelector("[data-sign-in]");
const problem = form.querySelector("[data-problem]");
const button = form.querySelector("button");

function complain(text) {
  problem.textContent = text;
  problem.hidden = !text;
}

function reason(wrong) {
  if (wrong instanceof NotReached) return say("sign_in.unreachable");
  if (wrong.status === 401) return say("sign_in.wrong");
  if (wrong.status === 429) return say("sign_in.throttled", { span: span(wrong.retryAfter || 60) });
  return say("sign_in.refused", { message: wrong.message });
}

// Only a path of our own may be gone to afterwards. Who only works goes to their work.
function wanted(me) {
  const home = me.roles.every((one) => one.role === "worker") ? "/work" : "/";
  const next = new URLSearchParams(location.search).get("next") ?? "/";
  return next !== "/" && /^\/(?![/\\])/.test(next) ? next : home;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const { login, password } = form.elements;
  if (!login.value.trim() || !password.value) {
    complain(say("sign_in.empty"));
    (login.value.trim() ? password : login).focus();
    return;
  }
  complain("");
  button.disabled = true;
  button.textContent = say("sign_in.busy");
  try {
    const given = { login: login.value.trim(), password: password.value };
    location.assign(wanted(await post("/session", given, { signedIn: false })));
  } catch (wrong) {
    complain(reason(wrong));
    button.disabled = false;
    button.textContent = say("sign_in.submit");
    password.select();
  }
});
