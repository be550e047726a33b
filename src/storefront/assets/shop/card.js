/**
 * A product in a list.
 */

import { html } from "../shared/html.js";
import { day, money } from "../shared/format.js";
import { Skeleton, Stars } from "../shared/ui.js";
import { Picture } from "./art.js";
import { Heart } from "./wishes.js";

/**
 * A product's address.
 * @param {{id: number, slug?: string}} product
 */
export const productHref = ({ id, slug }) => `/product/${id}${slug ? `/${encodeURIComponent(slug)}` : ""}`;

/**
 * Text in which matches are marked. The API escapes everything else; it is taken apart here, so that nothing of a
 * product's name ever becomes markup.
 * @param {{text: string}} props
 */
export function Marked({ text }) {
  const plain = (part) =>
    part.replace(/&(lt|gt|amp|quot|#39|#x27);/g, (_, name) => ({ lt: "<", gt: ">", amp: "&", quot: '"' })[name] ?? "'");
  return text.split(/(<mark>.*?<\/mark>)/s).map((part) => {
    const marked = /^<mark>(.*)<\/mark>$/s.exec(part);
    return marked ? html`<mark>${plain(marked[1])}</mark>` : plain(part);
  });
}

/** What a running discount takes off, in the API's own figures. */
export function saving(discount) {
  if (discount.discount_type === "percentage") return `−${discount.discount_value.replace(/\.?0+$/, "")}%`;
  return `−${money(discount.discount_value)}`;
}

/**
 * The price, and what it was.
 * @param {{product: object, large?: boolean}} props
 */
export function Price({ product, large = false }) {
  const { discount, variant_count: variants, price, effective_price: now } = product;
  return html`<span class=${`price ${large ? "large" : ""}`}>
    ${variants > 1 && html`<span class="from">from</span>`}
    <span class=${discount ? "now sale" : "now"}>${money(now)}</span>
    ${discount && variants === 1 && html`<span class="hidden">instead of</span> <s>${money(price)}</s>`}
    ${discount && large && html`<span class="badge bad">${saving(discount)}${discount.end_date && ` until ${day(discount.end_date)}`}</span>`}
  </span>`;
}

/** @param {{product: object, isFirst?: boolean}} props */
export function Card({ product, isFirst }) {
  const name = product.highlights?.name;
  return html`<article class="card">
    <div class="card-picture">
      <${Picture} product=${product} isFirst=${isFirst} />
      <span class="card-badges">
        ${product.discount && html`<span class="badge bad">${saving(product.discount)}</span>`}
        ${!product.in_stock && html`<span class="badge">Sold out</span>`}
      </span>
      <${Heart} product=${product} />
    </div>
    <div class="card-words">
      <p class="card-brand">${product.brand ?? product.category?.name ?? ""}</p>
      <h3><a href=${productHref(product)}>${name ? html`<${Marked} text=${name} />` : product.name}</a></h3>
      <${Stars} rating=${product.rating} reviews=${product.review_count} />
      <${Price} product=${product} />
    </div>
  </article>`;
}

/** A card that is still to come, as large as one that is there. */
function Coming() {
  return html`<div class="card" aria-hidden="true">
    <div class="card-picture"><${Skeleton} h="100%" /></div>
    <div class="card-words">
      <p class="card-brand"><${Skeleton} w="40%" h="0.8em" /></p>
      <h3><${Skeleton} w="90%" h="0.9em" /></h3>
      <span class="stars"><${Skeleton} w="6rem" h="0.9em" /></span>
      <span class="price"><${Skeleton} w="4.5rem" h="1.1em" /></span>
    </div>
  </div>`;
}

/**
 * Cards in rows; skeletons while there is nothing to show.
 * @param {{products?: object[], coming?: number, isStale?: boolean}} props
 */
export function Cards({ products, coming = 12, isStale = false }) {
  if (!products) {
    return html`<ul class="cards">${Array.from({ length: coming }, (_, at) => html`<li key=${`coming-${at}`}><${Coming} /></li>`)}</ul>`;
  }
  return html`<ul class="cards" aria-busy=${isStale ? "true" : undefined}>
    ${products.map((product, at) => html`<li key=${product.id}><${Card} product=${product} isFirst=${at < 4} /></li>`)}
  </ul>`;
}
