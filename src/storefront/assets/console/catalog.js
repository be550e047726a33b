/**
 * What pages about the catalog share: writes that lists wait for, and the categories.
 */

import { html, useEffect, useState } from "../shared/html.js";
import { api, request } from "../shared/api.js";
import { Icon } from "../shared/icons.js";
import { Problem } from "../shared/problem.js";

let newestWrite = null;

/**
 * A write to the catalog. Searches that follow wait until the index holds it.
 * @param {string} method
 * @param {string} path
 * @param {object} [body]
 * @param {Record<string, string>} [headers]
 * @returns {Promise<{json: any, headers: Headers}>}
 */
export async function write(method, path, body, headers) {
  const answer = await request(method, path, body, { whole: true, headers });
  newestWrite = answer.headers.get("x-catalog-version") ?? newestWrite;
  return answer;
}

/** Something has written to the catalog elsewhere, as an import does. */
export function written(version) {
  newestWrite = version ?? newestWrite;
}

/** The version that a search must hold to see what was written here; null: any. */
export const mustHold = () => newestWrite;

let categories = null;

async function everyCategory() {
  const found = [];
  let cursor = null;
  do {
    const page = await api.get(`/api/category/?page_size=100${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`);
    found.push(...page.results);
    cursor = page.next_cursor;
  } while (cursor);
  return found.sort(byPath);
}

/** Each behind the one that it is below. */
function byPath({ path: a }, { path: b }) {
  const at = a.findIndex((name, place) => name !== b[place]);
  return at === -1 ? a.length - b.length : a[at].localeCompare(b[at] ?? "");
}

/** The next page that wants the categories asks for them anew. */
export function forgetCategories() {
  categories = null;
}

/**
 * All categories in the order of the tree; undefined while they come.
 * @param {unknown} [turn] another value asks again, if they were forgotten
 */
export function useCategories(turn) {
  const [known, setKnown] = useState(undefined);
  useEffect(() => {
    categories ??= everyCategory();
    categories.then(setKnown, (problem) => {
      categories = null;
      if (!(problem instanceof Problem)) throw problem;
      setKnown([]);
    });
  }, [turn]);
  return known;
}

/**
 * A product's picture, small; where there is none, a box.
 * @param {{url: string | null, large?: boolean}} props
 */
export function Picture({ url, large }) {
  const [isBroken, setBroken] = useState(false);
  useEffect(() => setBroken(false), [url]);
  const size = large ? 96 : 36;
  return html`<span class=${`picture ${large ? "large" : ""}`} aria-hidden="true">
    ${url && !isBroken ? html`<img src=${url} alt="" width=${size} height=${size} loading="lazy" referrerpolicy="no-referrer" onError=${() => setBroken(true)} />` : html`<${Icon} name="box" />`}
  </span>`;
}
