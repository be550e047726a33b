/**
 * What a list shows stands in its address: filters and pages can be shared, and gone back to.
 */

import { html, useEffect, useRef, useState } from "../shared/html.js";
import { Icon } from "../shared/icons.js";
import { navigate, useAddress } from "../shared/router.js";

/**
 * The parameters of the address, and addresses that differ from it.
 * @returns {{params: URLSearchParams, href: (changes: Record<string, string | number | null>) => string,
 *   change: (changes: Record<string, string | number | null>, how?: {replace?: boolean}) => void}}
 *   Of `changes` what is null or empty goes; another filter begins on the first page
 */
export function usePlace() {
  const { pathname, searchParams } = useAddress();
  const href = (changes) => {
    const next = new URLSearchParams(searchParams);
    if (!("page" in changes)) next.delete("page");
    for (const [name, value] of Object.entries(changes)) {
      if (value === null || value === "") next.delete(name);
      else next.set(name, String(value));
    }
    return next.size === 0 ? pathname : `${pathname}?${next}`;
  };
  return { params: searchParams, href, change: (changes, how) => navigate(href(changes), { stay: true, ...how }) };
}

/**
 * A path of the API with those parameters that are given.
 * @param {string} path
 * @param {Record<string, string | number | null | undefined>} params
 */
export function asked(path, params) {
  const given = Object.entries(params).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return `${path}?${new URLSearchParams(given)}`;
}

/**
 * A filter with a few values.
 * @param {{place: ReturnType<typeof usePlace>, name: string, label: string, any: string, options: [string, string][]}} props
 */
export function Choice({ place, name, label, any, options }) {
  const now = place.params.get(name) ?? "";
  return html`<label class="filter"><span class="hidden">${label}</span>
    <select class="input small" value=${now} onChange=${(event) => place.change({ [name]: event.target.value })}>
      <option value="">${any}</option>
      ${options.map(([value, text]) => html`<option key=${value} value=${value}>${text}</option>`)}
    </select>
  </label>`;
}

/** How long typing rests before it is looked for. */
const REST = 180;

/**
 * A filter that is typed.
 * @param {{place: ReturnType<typeof usePlace>, name: string, label: string, icon?: string, type?: string}} props
 */
export function Typed({ place, name, label, icon = "search", type = "search", ...rest }) {
  const now = place.params.get(name) ?? "";
  const [text, setText] = useState(now);
  const timer = useRef(0);
  // Going back changes the address, and not by typing.
  useEffect(() => setText(now), [now]);
  const typed = (event) => {
    const value = event.target.value;
    setText(value);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => place.change({ [name]: value.trim() }, { replace: true }), REST);
  };
  useEffect(() => () => clearTimeout(timer.current), []);
  return html`<label class="filter typed"><span class="hidden">${label}</span><${Icon} name=${icon} class="small" />
    <input class="input small" type=${type} value=${text} placeholder=${label} onInput=${typed} autocomplete="off" ...${rest} /></label>`;
}
