/**
 * The REST API, as pages ask it. An answer is its JSON; whatever else comes is thrown as a {@link Problem}.
 */

import { useEffect, useState } from "./html.js";
import { Problem } from "./problem.js";
import * as session from "./session.js";
import { store } from "./store.js";

/** Whether the server answers: `"up"` or `"down"`. Pages that show something ask again when it is back. */
export const server = store("up");

/** How long to wait until the next look, while it is down. */
const LOOKS = [1000, 2000, 4000, 8000];

let looking = false;

async function lookUntilBack() {
  if (looking) return;
  looking = true;
  for (let look = 0; server.get() === "down"; look += 1) {
    await new Promise((done) => setTimeout(done, LOOKS[Math.min(look, LOOKS.length - 1)]));
    if (await answers()) server.set("up");
  }
  looking = false;
}

async function answers() {
  try {
    return (await fetch("/healthz/", { cache: "no-store" })).ok;
  } catch {
    return false;
  }
}

/** Looks at once, for who does not want to wait. */
export async function lookNow() {
  if (await answers()) server.set("up");
}

/**
 * A new key for a request that must not be done twice.
 * @returns {string}
 */
export function newKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * @typedef {object} Options
 * @property {AbortSignal} [signal]
 * @property {Record<string, string>} [headers]
 * @property {boolean} [whole] answer with `{json, headers}`, for who needs a header
 */

/**
 * @param {string} method
 * @param {string} path
 * @param {object | undefined} body
 * @param {Options} [options]
 */
export async function request(method, path, body, options = {}) {
  if (session.token() === null && session.mayBeSignedIn()) await renewed();
  const used = session.token();
  try {
    return await once(method, path, body, options, used);
  } catch (problem) {
    const isOver = problem instanceof Problem && problem.status === 401 && used !== null;
    if (isOver && (await session.renew(used, plain))) return once(method, path, body, options, session.token());
    if (isOver) session.end();
    const isBusy = problem instanceof Problem && problem.status === 503 && method === "GET";
    if (!isBusy || problem.wait > 2) throw problem;
    await new Promise((done) => setTimeout(done, problem.wait * 1000));
    return once(method, path, body, options, session.token());
  }
}

/** Where a new token is refused for now, one goes on as nobody: most of the shop is open to all. */
async function renewed() {
  try {
    await session.renew(null, plain);
  } catch (problem) {
    if (!(problem instanceof Problem) || problem.isAway) throw problem;
  }
}

/** Asked as nobody: for tokens themselves. */
const plain = (path, body) => once("POST", path, body, {}, null);

async function once(method, path, body, options, token) {
  const headers = { accept: "application/json", ...options.headers };
  if (token !== null) headers.authorization = `Bearer ${token}`;
  const isForm = body instanceof FormData || body instanceof Blob;
  if (body !== undefined && !isForm) headers["content-type"] = "application/json";
  const sent = body === undefined || isForm ? body : JSON.stringify(body);
  let response;
  try {
    response = await fetch(path, { method, headers, body: sent, signal: options.signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    server.set("down");
    lookUntilBack();
    throw new Problem(0);
  }
  if (response.status !== 502 && response.status !== 504) server.set("up");
  const isJson = /[/+]json/.test(response.headers.get("content-type") ?? "");
  const json = isJson ? await response.json() : undefined;
  if (!response.ok) throw new Problem(response.status, json, Number(response.headers.get("retry-after") ?? 0));
  return options.whole ? { json, headers: response.headers } : json;
}

/** The verbs. */
export const api = {
  get: (path, options) => request("GET", path, undefined, options),
  post: (path, body, options) => request("POST", path, body, options),
  put: (path, body, options) => request("PUT", path, body, options),
  patch: (path, body, options) => request("PATCH", path, body, options),
  delete: (path, options) => request("DELETE", path, undefined, options),
};

/** Finds out who is signed in; as soon as the server is there, if it is not. */
export async function recognise() {
  if (!session.mayBeSignedIn()) return session.user.set(null);
  try {
    session.user.set(await api.get("/api/auth/me/"));
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    if (problem.status !== 0) session.user.set(null);
  }
}
server.subscribe((now) => now === "up" && session.user.get() === undefined && recognise());

/**
 * @param {string} username or the email
 * @param {string} password
 */
export async function signIn(username, password) {
  session.begin(await plain("/api/auth/jwt/login/", { username, password }));
  await recognise();
}

/** Ends the session, here and at the server. */
export async function signOut() {
  const refresh = session.refreshToken();
  try {
    if (refresh !== null) await api.post("/api/auth/jwt/logout/", { refresh });
  } catch (problem) {
    // It ends here in any case; there it ends by itself.
    if (!(problem instanceof Problem)) throw problem;
  }
  session.end();
}

/** Answers that were had before, for going back without waiting: the newest, by path. */
const kept = new Map();
const KEPT = 40;

function remember(path, json) {
  kept.delete(path);
  kept.set(path, json);
  if (kept.size > KEPT) kept.delete(kept.keys().next().value);
}

/** Forgets all answers that were had: somebody has signed in or out, or changed something. */
export function forgetAnswers() {
  kept.clear();
}
session.user.subscribe(forgetAnswers);

/**
 * What `GET path` answers, for a component. A new path aborts the request for the old one, whose answer stays
 * until the new one is there; when the server is back, it is asked again.
 * @param {string | null} path null: nothing is asked for
 * @param {{fresh?: boolean}} [how] `fresh`: an answer that was had before is not shown meanwhile
 * @returns {{data: any, path: string | null, problem: Problem | null, isLoading: boolean, reload: () => void}}
 *   `path` is that of `data`
 */
export function useAnswer(path, { fresh = false } = {}) {
  const [state, setState] = useState(() => start(path, fresh));
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    if (path === null) return setState({ data: undefined, path, problem: null, isLoading: false });
    const stop = new AbortController();
    const known = fresh ? undefined : kept.get(path);
    setState((old) => ({
      data: known ?? old.data,
      path: known === undefined ? old.path : path,
      problem: null,
      isLoading: true,
    }));
    api
      .get(path, { signal: stop.signal })
      .then((data) => {
        remember(path, data);
        if (!stop.signal.aborted) setState({ data, path, problem: null, isLoading: false });
      })
      .catch((problem) => {
        if (problem.name === "AbortError" || stop.signal.aborted) return;
        setState((old) => ({ ...old, problem, isLoading: false }));
      });
    return () => stop.abort();
  }, [path, turn, fresh]);
  useEffect(() => server.subscribe((now) => now === "up" && setTurn((old) => old + 1)), []);
  return { ...state, reload: () => setTurn((old) => old + 1) };
}

function start(path, fresh) {
  const known = path !== null && !fresh ? kept.get(path) : undefined;
  return { data: known, path: known === undefined ? null : path, problem: null, isLoading: path !== null };
}
