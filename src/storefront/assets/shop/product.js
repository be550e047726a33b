/**
 * A product's page: its picture, its variants, what it costs, what others think of it, and what is like it.
 */

import { html, useEffect, useId, useState } from "../shared/html.js";
import { useAnswer } from "../shared/api.js";
import { count, money, plural, word } from "../shared/format.js";
import { Icon } from "../shared/icons.js";
import { useSettled, useTitle } from "../shared/router.js";
import { Skeleton, Stars, Trouble } from "../shared/ui.js";
import { Picture } from "./art.js";
import { Cards, Price, saving } from "./card.js";
import { Stepper, putIn } from "./cart.js";
import { href } from "./query.js";
import { Reviews } from "./reviews.js";
import { Heart } from "./wishes.js";

/** From how many on variants are chosen from a list. */
const LISTED = 13;
/** From how many pieces left on nobody need hurry. */
const PLENTY = 6;

/** @param {{id: string}} props */
export function Product({ id }) {
  const path = `/api/product/${encodeURIComponent(id)}/`;
  const { data, path: from, problem, reload } = useAnswer(path);
  const product = from === path ? data : undefined;
  useTitle(product?.name);
  useSettled(Boolean(product));
  if (problem && !product) return html`<${Trouble} isPage=${true} problem=${problem} onRetry=${reload} title=${problem.status === 404 ? "This product is not here any more" : undefined} />`;
  if (!product) return html`<${Coming} />`;
  return html`
    <${Trail} product=${product} />
    <${Offer} key=${product.id} product=${product} />
    <div class="about">
      <section aria-labelledby="about-heading">
        <h2 id="about-heading">Description</h2>
        <p class="about-text">${product.description || "There is no description."}</p>
      </section>
      <${Details} product=${product} />
    </div>
    <${Reviews} product=${product} onWritten=${reload} />
    <${Similar} id=${product.id} />
  `;
}

function Coming() {
  return html`<div class="trail"><${Skeleton} w="16rem" /></div>
    <div class="offer" aria-hidden="true">
      <div class="offer-picture"><${Skeleton} h="100%" /></div>
      <div class="offer-words"><${Skeleton} w="30%" /><${Skeleton} w="85%" h="2.2rem" /><${Skeleton} w="40%" /><${Skeleton} w="35%" h="2rem" /><${Skeleton} h="6rem" /><${Skeleton} h="2.75rem" /></div>
    </div>`;
}

function Trail({ product }) {
  const { category } = product;
  return html`<nav class="trail" aria-label="Where it stands"><ol class="trail-list">
    <li><a href="/search">All products</a></li>
    ${category?.path.slice(0, -1).map((name) => html`<li key=${name}>${name}</li>`)}
    ${category && html`<li><a href=${href(new URLSearchParams({ category: category.slug }))}>${category.name}</a></li>`}
  </ol></nav>`;
}

/** What is for sale. */
function Offer({ product }) {
  const { variants } = product;
  const [chosen, setChosen] = useState(() => (variants.find((variant) => variant.in_stock) ?? variants[0])?.id);
  const [quantity, setQuantity] = useState(1);
  const variant = variants.find(({ id }) => id === chosen) ?? variants[0];
  useEffect(() => setQuantity(1), [chosen]);
  const name = variants.length > 1 && variant ? `${product.name}, ${variant.variant_name}` : product.name;
  return html`<div class="offer">
    <div class="offer-picture"><${Picture} product=${product} url=${variant?.image_url ?? product.image_url} alt=${product.name} isFirst=${true} /></div>
    <div class="offer-words">
      ${product.brand && html`<p class="offer-brand"><a href=${href(new URLSearchParams({ brand: product.brand }))}>${product.brand}</a></p>`}
      <h1>${product.name}</h1>
      <a class="offer-stars" href="#reviews"><${Stars} rating=${product.rating} reviews=${product.review_count} /></a>
      <p class="offer-price" aria-live="polite">${variant ? html`<${VariantPrice} product=${product} variant=${variant} />` : html`<${Price} product=${product} large=${true} />`}</p>
      ${variants.length > 1 && html`<${Variants} variants=${variants} chosen=${chosen} onChoose=${setChosen} />`}
      <${Stock} variant=${variant} />
      <div class="offer-buy">
        ${variant?.in_stock && html`<${Stepper} value=${quantity} name=${name} most=${variant.stock} onSet=${setQuantity} />`}
        <button type="button" class="button primary offer-add" disabled=${!variant?.in_stock} onClick=${() => putIn(variant.id, quantity, name)}>
          <${Icon} name="cart" />${variant?.in_stock ? "Add to cart" : "Sold out"}
        </button>
        <${Heart} product=${product} label=${true} />
      </div>
    </div>
  </div>`;
}

function VariantPrice({ product, variant }) {
  const isLower = variant.effective_price !== variant.price;
  return html`<span class="price large">
    <span class=${isLower ? "now sale" : "now"}>${money(variant.effective_price)}</span>
    ${isLower && html`<span class="hidden">instead of</span><s>${money(variant.price)}</s>`}
    ${isLower && product.discount && html`<span class="badge bad">${saving(product.discount)}</span>`}
  </span>`;
}

function Variants({ variants, chosen, onChoose }) {
  const id = useId();
  if (variants.length >= LISTED) {
    return html`<div class="field"><label for=${id}>Choose one of ${variants.length}</label>
      <select id=${id} class="input" value=${chosen} onChange=${(event) => onChoose(Number(event.target.value))}>
        ${variants.map((one) => html`<option key=${one.id} value=${one.id} selected=${one.id === chosen}>${one.variant_name} – ${money(one.effective_price)}${one.in_stock ? "" : " (sold out)"}</option>`)}
      </select></div>`;
  }
  return html`<fieldset class="variants"><legend class="label">Options</legend>
    ${variants.map(
      (one) => html`<label class=${`variant ${one.in_stock ? "" : "gone"}`} key=${one.id}>
        <input type="radio" name=${id} value=${one.id} checked=${one.id === chosen} onChange=${() => onChoose(one.id)} />
        <span>${one.variant_name}</span>${!one.in_stock && html`<span class="hidden">, sold out</span>`}
      </label>`,
    )}
  </fieldset>`;
}

function Stock({ variant }) {
  if (!variant?.in_stock) return html`<p class="stock gone"><${Icon} name="close" class="small" />Sold out</p>`;
  const isFew = variant.stock < PLENTY;
  return html`<p class=${`stock ${isFew ? "few" : ""}`}><${Icon} name=${isFew ? "clock" : "check"} class="small" />${isFew ? `Only ${count(variant.stock)} left` : "In stock"}</p>`;
}

function Details({ product }) {
  const said = (value) => (value === true ? "Yes" : value === false ? "No" : Array.isArray(value) ? value.join(", ") : typeof value === "number" ? count(value) : value);
  const rows = Object.entries(product.attributes).map(([name, value]) => [word(name), said(value)]);
  return html`<section aria-labelledby="details-heading">
    <h2 id="details-heading">Details</h2>
    <dl class="details">
      ${[...rows, ["SKU", product.sku]].map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}
    </dl>
  </section>`;
}

function Similar({ id }) {
  const { data, problem } = useAnswer(`/api/product/${id}/similar/?page_size=6`);
  if (problem || data?.results.length === 0) return null;
  return html`<section class="shelf" aria-labelledby="similar-heading">
    <div class="shelf-head"><h2 id="similar-heading">Similar products</h2>${data && html`<span class="hidden">${plural(data.results.length, "product")}</span>`}</div>
    <${Cards} products=${data?.results} coming=${6} />
  </section>`;
}
