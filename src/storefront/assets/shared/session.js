/**
 * Who is signed in. The access token lives in memory alone, for ten minutes at most; the refresh token, which is good
 * once, is kept in the browser's storage. All tabs share it and take turns, since presenting a used one would end the
 * session.
 */

import { Problem } from "./problem.js";
import { store } from "./store.js";

const KEY = "duka.refresh";

/**
 * The user as `/api/auth/me/` says; null: nobody; undefined: not known yet.
 * @type {ReturnType<typeof store<object | null | undefined>>}
 */
export const user = store(undefined);

let access = null;

/** Where storage is forbidden, a session lasts as long as the page. */
let unstored = null;

function stored() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return unstored;
  }
}

function keep(refresh) {
  unstored = refresh;
  try {
    if (refresh === null) localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, refresh);
  } catch {
    // See `unstored`.
  }
}

/** One tab at a time; where the browser has no locks (a plain http address that is not this machine), one call. */
let turn = Promise.resolve();
function inTurn(work) {
  if (navigator.locks) return navigator.locks.request(KEY, work);
  turn = turn.then(work, work);
  return turn;
}

/** @param {{access: string, refresh: string}} pair */
export function begin(pair) {
  access = pair.access;
  keep(pair.refresh);
}

/** Forgets who is signed in. */
export function end() {
  access = null;
  keep(null);
  user.set(null);
}

/** The access token, if there is one. */
export const token = () => access;

/** The refresh token, for signing out. */
export const refreshToken = () => stored();

/** Whether somebody may be signed in, as far as the browser remembers. */
export const mayBeSignedIn = () => access !== null || stored() !== null;

/**
 * Gets a new access token in place of `used`; false when the session is over.
 * @param {string | null} used the one that was refused, or null at the start
 * @param {(path: string, body: object) => Promise<object>} post
 */
export function renew(used, post) {
  return inTurn(async () => {
    // Somebody else on this page was faster.
    if (access !== null && access !== used) return true;
    const refresh = stored();
    if (refresh === null) return false;
    try {
      begin(await post("/api/auth/jwt/refresh/", { refresh }));
      return true;
    } catch (problem) {
      // A server that is away says nothing about the session.
      if (!(problem instanceof Problem) || problem.status !== 401) throw problem;
      end();
      return false;
    }
  });
}

addEventListener("storage", (event) => {
  // Another tab has signed out, or somebody else in.
  if (event.key === KEY && event.newValue === null) end();
});
