// The JSON API. Three things can go wrong and each is told apart: refused, signed out, not reached.
const ROOT = "/api/v1";
let me = null;

export class Refused extends Error {
  constructor(status, code, message, retryAfter) {
    super(message);
    Object.assign(this, { status, code, retryAfter });
  }
}
export class SignedOut extends Refused {}
export class NotReached extends Error {}

async function answer(response) {
  const text = await response.text();
  let body = null;
  try {
    body = text ? JSON.parse(text) : null;
  } catch {
    body = null;
  }
  if (response.ok) return body;
  const { code = String(response.status), message = response.statusText, detail } = body?.error ?? {};
  const after = Number(response.headers.get("Retry-After")) || detail?.retry_after_s;
  if (response.status >= 500) throw new NotReached(message);
  throw new (response.status === 401 ? SignedOut : Refused)(response.status, code, message, after);
}

async function send(path, options) {
  let response;
  try {
    response = await fetch(ROOT + path, { credentials: "same-origin", cache: "no-store", ...options });
  } catch (wrong) {
    throw new NotReached(wrong.message);
  }
  return answer(response);
}

export const get = (path) => send(path, { headers: { Accept: "application/json" } });

// Who is signed in, and the token that every change must carry.
export async function whoami() {
  me ??= await get("/me");
  return me;
}

export async function change(method, path, body, { signedIn = true } = {}) {
  const headers = { "Content-Type": "application/json" };
  if (signedIn) headers["X-LM-CSRF"] = (await whoami()).csrf;
  try {
    return await send(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch (wrong) {
    if (wrong instanceof Refused && [401, 403].includes(wrong.status)) me = null;
    throw wrong;
  }
}

export const post = (path, body, options) => change("POST", path, body, options);
