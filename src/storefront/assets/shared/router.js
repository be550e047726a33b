/**
 * Where the page is: addresses without loading anew, with a back button that leads to what was seen, where it was seen.
 */

import { useEffect } from "./html.js";
import { store, useStore } from "./store.js";

/** The address, as `URL`. */
const here = store(new URL(location.href));

/** Where each entry of the history was scrolled to, by its key. */
const places = new Map();
/** The entry of the history that is shown. */
let entry = history.state?.entry ?? newEntry();
/** Where the page is to be scrolled to once what it shows has come: after going back. */
let awaited = null;

function newEntry() {
  return `${Date.now().toString(36)}-${Math.floor(performance.now() * 1000).toString(36)}`;
}

/**
 * Begins: links that lead to `owned` paths are followed within the page.
 * @param {(path: string) => boolean} owned
 */
export function startRouter(owned) {
  history.scrollRestoration = "manual";
  history.replaceState({ entry }, "");
  addEventListener("scroll", () => places.set(entry, scrollY), { passive: true });
  addEventListener("popstate", (event) => {
    entry = event.state?.entry ?? newEntry();
    awaited = places.get(entry) ?? 0;
    here.set(new URL(location.href));
  });
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[href]");
    if (!link || event.defaultPrevented || event.button !== 0 || link.target || link.hasAttribute("download")) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const url = new URL(link.href, location.href);
    // A link to a part of the page is the browser's.
    const isPart = url.hash && url.pathname === location.pathname && url.search === location.search;
    if (url.origin !== location.origin || isPart || !owned(url.pathname)) return;
    event.preventDefault();
    navigate(url.pathname + url.search + url.hash);
  });
}

/**
 * Goes to an address.
 * @param {string} to
 * @param {{replace?: boolean, stay?: boolean}} [how] `replace` takes the place of this entry of the history; `stay`
 *   keeps focus and scroll, for a change of what is shown and not of where one is
 */
export function navigate(to, { replace = false, stay = false } = {}) {
  const url = new URL(to, location.href);
  if (url.href === location.href && !replace) return;
  if (replace) {
    history.replaceState({ entry }, "", url);
  } else {
    // A scroll of this very moment has not been told yet.
    places.set(entry, scrollY);
    entry = newEntry();
    history.pushState({ entry }, "", url);
  }
  here.set(url);
  if (stay || replace) return;
  awaited = null;
  scrollTo(0, 0);
  // Whoever listens to the page hears where it is now.
  requestAnimationFrame(() => document.querySelector("main")?.focus({ preventScroll: true }));
}

/** The address that is shown. */
export const useAddress = () => useStore(here);

/** The address that is shown, outside of components. */
export const address = () => here.get();

/**
 * Says that a page shows what it is about: after going back it is scrolled to where it was.
 * @param {boolean} isThere
 */
export function useSettled(isThere) {
  useEffect(() => {
    if (!isThere || awaited === null) return;
    const to = awaited;
    awaited = null;
    requestAnimationFrame(() => scrollTo(0, to));
  }, [isThere]);
}

/**
 * The page's title.
 * @param {string | undefined} title
 * @param {string} site
 */
export function useTitle(title, site = "duka") {
  useEffect(() => {
    document.title = title ? `${title} · ${site}` : site;
  }, [title, site]);
}

/**
 * The parameters of the first pattern that matches, such as `"/orders/:id"`.
 * @param {string} path
 * @param {string} pattern
 * @returns {Record<string, string> | null}
 */
export function match(path, pattern) {
  const [given, wanted] = [path, pattern].map((text) => text.split("/").filter(Boolean));
  if (given.length !== wanted.length) return null;
  const found = {};
  for (const [at, part] of wanted.entries()) {
    if (part.startsWith(":")) found[part.slice(1)] = decoded(given[at]);
    else if (part !== given[at]) return null;
  }
  return found;
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    // It is no encoding of anything; what asks for it is told that there is nothing.
    return part;
  }
}
