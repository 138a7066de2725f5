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

// Only a path of our own may be gone to afterwards.
function wanted() {
  const next = new URLSearchParams(location.search).get("next") ?? "/";
  return /^\/(?![/\\])/.test(next) ? next : "/";
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
    await post("/session", { login: login.value.trim(), password: password.value }, { signedIn: false });
    location.assign(wanted());
  } catch (wrong) {
    complain(reason(wrong));
    button.disabled = false;
    button.textContent = say("sign_in.submit");
    password.select();
  }
});
