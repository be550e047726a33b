/**
 * The page of results: what was found, what it can be narrowed by, and what narrows it.
 */

import { html, useEffect, useMemo, useRef, useState } from "../shared/html.js";
import { useAnswer } from "../shared/api.js";
import { count, money, plural, word } from "../shared/format.js";
import { Icon } from "../shared/icons.js";
import { navigate, useAddress, useSettled, useTitle } from "../shared/router.js";
import { Dialog, Pager, Trouble, announce } from "../shared/ui.js";
import { Cards } from "./card.js";
import { Facets } from "./facets.js";
import { PAGE_SIZE, SORTS, attributeNames, attributes, changed, filters, found, href, read } from "./query.js";

export function Results() {
  const address = useAddress();
  const search = useMemo(() => read(address.searchParams), [address.search]);
  const asked = found(search);
  const { data, path, problem, isLoading, reload } = useAnswer(asked);
  const names = useMemo(() => (data ? attributeNames(search, data.results) : []), [data, address.search]);
  const more = useAnswer(data ? attributes(search, names) : null);
  const [isOpen, setOpen] = useState(false);
  const isStale = path !== asked;
  const text = search.get("q");
  useTitle(text ? `“${text}”` : titleOf(search, data));
  useSettled(Boolean(data));
  useSpoken(data, isStale, text);

  if (problem && !data) return html`<${Trouble} isPage=${true} problem=${problem} onRetry=${reload} />`;
  const narrowing = filters(search);
  const page = Number(search.get("page") ?? 1);
  const total = data?.count;
  const facets = html`<${Facets} search=${search} facets=${data?.facets} more=${more.data?.facets} />`;
  return html`<div class="results">
    <aside class="results-side" aria-label="Filters"><h2 class="hidden">Filters</h2>${facets}</aside>
    <div class="results-main">
      <div class="results-head">
        <div>
          <h1>${text ? html`Results for “${data?.corrected_query && !isStale ? data.corrected_query : text}”` : titleOf(search, data)}</h1>
          <p class="fine number results-count">${total === undefined ? html`<span class="skeleton results-count-coming"></span>` : plural(total, "product")}${page > 1 && ` · page ${count(page)}`}</p>
        </div>
        <div class="results-tools">
          <button type="button" class="button small results-open" onClick=${() => setOpen(true)}>
            <${Icon} name="filter" class="small" />Filters${narrowing.length > 0 && html` <span class="badge accent">${narrowing.length}</span>`}
          </button>
          <${Sort} search=${search} />
        </div>
      </div>
      <${Corrected} data=${data} text=${text} />
      <${Chips} search=${search} narrowing=${narrowing} data=${data} />
      ${problem && !problem.isAway && html`<p class="note warn results-old" role="alert"><${Icon} name="alert" />${problem.message} What you see is older.</p>`}
      <h2 class="hidden">Products</h2>
      ${total === 0
        ? html`<${Nothing} search=${search} text=${text} narrowing=${narrowing} />`
        : html`<${Cards} products=${data?.results} coming=${PAGE_SIZE} isStale=${isStale && isLoading} />`}
      ${total > 0 && html`<${Pager} page=${page} pages=${Math.ceil(total / PAGE_SIZE)} href=${(to) => href(turned(search, to))} />`}
    </div>
    ${isOpen &&
    html`<${Dialog} title="Filters" kind="drawer start" onClose=${() => setOpen(false)}
      foot=${html`<button type="button" class="button primary wide" onClick=${() => setOpen(false)}>Show ${plural(total ?? 0, "product")}</button>`}>
      <div class="facets-drawer">${facets}</div>
    <//>`}
  </div>`;
}

const turned = (search, page) => {
  const next = new URLSearchParams(search);
  if (page > 1) next.set("page", String(page));
  else next.delete("page");
  return next;
};

/** The chosen category's name, if that is what is looked at. */
function titleOf(search, data) {
  const chosen = search.getAll("category");
  if (chosen.length === 1) {
    const category = data?.facets.category?.find(({ slug, id }) => slug === chosen[0] || String(id) === chosen[0]);
    return category?.name ?? word(chosen[0].replaceAll("-", " "));
  }
  if (search.get("on_sale") === "true") return "On sale";
  const brands = search.getAll("brand");
  return brands.length === 1 ? brands[0] : "All products";
}

/** Says how many there are, once typing rests. */
function useSpoken(data, isStale, text) {
  const before = useRef(null);
  useEffect(() => {
    if (!data || isStale || before.current === data) return undefined;
    before.current = data;
    const timer = setTimeout(() => announce(`${plural(data.count, "product")}${text ? ` for ${data.corrected_query ?? text}` : ""}`), 500);
    return () => clearTimeout(timer);
  }, [data, isStale]);
}

function Sort({ search }) {
  const offered = SORTS.filter(([key]) => key !== "relevance" || search.has("q"));
  const shown = search.get("sort") ?? (search.has("q") ? "relevance" : "-date_added");
  const choose = (event) => {
    const isDefault = event.target.value === (search.has("q") ? "relevance" : "-date_added");
    navigate(href(changed(search, { sort: isDefault ? null : event.target.value })), { stay: true });
  };
  return html`<label class="sort"><span class="fine">Sort by</span>
    <select class="input small" value=${shown} onChange=${choose}>
      ${offered.map(([key, label]) => html`<option key=${key} value=${key} selected=${key === shown}>${label}</option>`)}
    </select>
  </label>`;
}

/** What the text was read as, where that is something else than what was typed. */
function Corrected({ data, text }) {
  if (!data?.corrected_query || !text) return null;
  return html`<p class="note corrected">
    <${Icon} name="info" />
    <span>Nothing is called “${text}”. These are the results for <a href=${href(new URLSearchParams({ q: data.corrected_query }))}><strong>${data.corrected_query}</strong></a>.</span>
  </p>`;
}

/** What narrows the search; each can be taken away. */
function Chips({ search, narrowing, data }) {
  if (narrowing.length === 0) return null;
  const without = ({ name, value }) => {
    const next = changed(search, {});
    next.delete(name, value);
    return next;
  };
  const cleared = () => {
    const next = new URLSearchParams();
    for (const name of ["q", "sort"]) if (search.has(name)) next.set(name, search.get(name));
    return next;
  };
  return html`<ul class="chips" aria-label="Active filters">
    ${narrowing.map(
      (filter) => html`<li key=${`${filter.name}=${filter.value}`}>
        <a class="chip" href=${href(without(filter))}><span class="hidden">Remove the filter </span>${saidOf(filter, data)}<${Icon} name="close" class="small" /></a>
      </li>`,
    )}
    <li><a class="link-button" href=${href(cleared())}>Clear all</a></li>
  </ul>`;
}

function saidOf({ name, value }, data) {
  switch (name) {
    case "category":
      return data?.facets.category?.find(({ slug, id }) => slug === value || String(id) === value)?.name ?? value;
    case "price_min":
      return `from ${money(value)}`;
    case "price_max":
      return `up to ${money(value)}`;
    case "in_stock":
      return value === "true" ? "In stock" : "Sold out";
    case "on_sale":
      return "On sale";
    case "rating_min":
      return `${value} stars and up`;
    case "vendor_id":
      return "One seller";
    default:
      return name.startsWith("attr.") ? `${word(name.slice(5))}: ${value === "true" ? "yes" : value === "false" ? "no" : value}` : value;
  }
}

/** Nothing was found, and what may help. */
function Nothing({ search, text, narrowing }) {
  const wider = new URLSearchParams(text ? { q: text } : {});
  return html`<div class="empty">
    <${Icon} name="search" />
    <h2>Nothing fits</h2>
    <p>
      ${narrowing.length > 0 && text
        ? `With these filters there is nothing for “${text}”.`
        : text
          ? `There is nothing for “${text}”. Fewer words, or other ones, may find it.`
          : "With these filters there is nothing."}
    </p>
    <div class="actions">
      ${narrowing.length > 0 && html`<a class="button primary" href=${href(wider)}>Clear the filters</a>`}
      <a class="button" href="/search">See all products</a>
    </div>
  </div>`;
}
