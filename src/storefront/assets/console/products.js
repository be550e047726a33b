/**
 * Products: found by the search that shoppers use, and those that shoppers do not see.
 */

import { html } from "../shared/html.js";
import { count, money } from "../shared/format.js";
import { Icon } from "../shared/icons.js";
import { Picture, mustHold, useCategories } from "./catalog.js";
import { Listing, ROWS } from "./listing.js";
import { Badge, Sheet } from "./parts.js";
import { Choice, Typed, asked, usePlace } from "./place.js";

const SORTS = [["-date_added", "Newest"], ["name", "Name"], ["price", "Price, low first"], ["-price", "Price, high first"], ["-popularity", "Popularity"], ["-rating", "Rating"]];

const COLUMNS = [
  { head: "Product", cell: (product) => html`<div class="thing"><${Picture} url=${product.image_url} /><div><a class="plain strong" href=${`/admin/products/${product.id}`}>${product.name}</a><span class="under">${product.sku}</span></div></div>` },
  { head: "Category", cell: (product) => product.category?.name ?? "–", class: "roomier" },
  { head: "Brand", cell: (product) => product.brand ?? "–", class: "roomier" },
  { head: "Price", cell: (product) => html`${money(product.effective_price)}${product.discount && html`<span class="under"><s>${money(product.price)}</s></span>`}`, class: "right" },
  { head: "Stock", cell: (product) => html`<span class=${product.in_stock ? "" : "lacking"}>${count(product.stock_quantity)}</span>`, class: "right" },
  { head: "Variants", cell: (product) => count(product.variant_count), class: "right roomy" },
  { head: "Rating", cell: (product) => (product.rating === null ? html`<span class="muted">–</span>` : `${product.rating} (${count(product.review_count)})`), class: "right roomier" },
  { head: "State", cell: (product) => html`<${Badge} code=${product.is_active ? "active" : "hidden"} />`, class: "roomy" },
];

/** @param {{who: object}} props */
export function Products({ who }) {
  const place = usePlace();
  const { params } = place;
  const categories = useCategories();
  const path = asked("/api/product/", {
    q: params.get("q"),
    category: params.get("category"),
    in_stock: params.get("in_stock"),
    is_active: params.get("is_active"),
    sort: params.get("sort"),
    vendor_id: who.role === "admin" ? params.get("vendor_id") : who.id,
    page: params.get("page"),
    page_size: ROWS,
    facets: "none",
    min_version: mustHold(),
  });
  const add = html`<a class="button primary" href="/admin/products/new"><${Icon} name="plus" class="small" />New product</a>`;
  return html`<${Sheet} title="Products" lead=${who.role === "admin" ? "Everything that the shop sells." : "What you sell."} actions=${add}>
    <div class="filters" role="search" aria-label="Find products">
      <${Typed} place=${place} name="q" label="Search name, SKU, brand…" maxlength="256" />
      <${Choice} place=${place} name="category" label="Category" any="Any category" options=${(categories ?? []).map(({ id, path: names }) => [String(id), names.join(" › ")])} />
      <${Choice} place=${place} name="is_active" label="State" any="Active" options=${[["false", "Hidden"]]} />
      <${Choice} place=${place} name="in_stock" label="Stock" any="Any stock" options=${[["true", "In stock"], ["false", "Out of stock"]]} />
      <${Choice} place=${place} name="sort" label="Order" any=${params.get("q") ? "Best match" : "Newest"} options=${params.get("q") ? SORTS : SORTS.slice(1)} />
    </div>
    <${Listing} label="Products" noun="product" path=${path} columns=${COLUMNS} place=${place} empty=${[...params].length === 0 && html`<p class="muted">There is no product yet: make one, or import a catalog.</p>`} />
  <//>`;
}
