/**
 * The cart: what is in it, the drawer that shows it, and the code that takes something off. All figures are the API's.
 */

import { html, useEffect, useState } from "../shared/html.js";
import { api } from "../shared/api.js";
import { money, plural } from "../shared/format.js";
import { Icon } from "../shared/icons.js";
import { Problem } from "../shared/problem.js";
import { user } from "../shared/session.js";
import { store, useStore } from "../shared/store.js";
import { Dialog, Field, Form, Submit, announce, toast } from "../shared/ui.js";
import { Picture } from "./art.js";
import { productHref } from "./card.js";
import { SignInOrRegister, askToSignIn } from "./people.js";

/** The cart as the API says it; null: not known, or nobody's. */
export const cart = store(null);

/** Which answer is the newest one: an older one that comes late is not shown. */
let newest = 0;
function show(answer) {
  newest += 1;
  cart.set(answer);
}

/** Whether the drawer is open. */
const isOpen = store(false);

/** What the codes of warnings mean. */
const WARNINGS = {
  "price-changed": "Its price has changed since you put it in.",
  "out-of-stock": "Sold out.",
  "quantity-reduced": "Fewer are left than you want.",
  "discount-not-applicable": "The code takes nothing off as things are.",
};

export const openCart = () => isOpen.set(true);
export const closeCart = () => isOpen.set(false);

/** Asks for the cart anew. */
export async function refreshCart() {
  if (!user.get()) return show(null);
  const before = (newest += 1);
  try {
    const answer = await api.get("/api/cart/");
    if (before === newest) cart.set(answer);
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
  }
}
user.subscribe(refreshCart);

/**
 * Puts a variant into the cart, after signing in if need be.
 * @param {number} variantId
 * @param {number} quantity
 * @param {string} name what it is called
 */
export function putIn(variantId, quantity, name) {
  askToSignIn("Sign in to add to your cart", async () => {
    try {
      show(await api.post("/api/cart/add/", { variant_id: variantId, quantity }));
      announce(`${name} is in your cart`);
      openCart();
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      toast(problem.message);
    }
  });
}

/** The button in the page's head. */
export function CartButton() {
  const quantity = useStore(cart)?.items.reduce((sum, item) => sum + item.quantity, 0) ?? 0;
  return html`<button type="button" class="icon-button" aria-haspopup="dialog" aria-label=${quantity > 0 ? `Cart, ${plural(quantity, "piece")}` : "Cart"} onClick=${openCart}>
    <${Icon} name="cart" />${quantity > 0 && html`<span class="count" aria-hidden="true">${quantity > 99 ? "99+" : quantity}</span>`}
  </button>`;
}

/** The drawer; stands once on a page. */
export function CartDrawer() {
  const open = useStore(isOpen);
  const [who, now] = [useStore(user), useStore(cart)];
  useEffect(() => {
    if (open) refreshCart();
  }, [open]);
  if (!open) return null;
  if (!who) {
    return html`<${Dialog} title="Your cart" kind="drawer" onClose=${closeCart}>
      <p class="muted cart-signed-out">Sign in to see your cart.</p>
      <${SignInOrRegister} onDone=${refreshCart} />
    <//>`;
  }
  const isEmpty = !now || now.items.length === 0;
  const foot = !isEmpty && html`<${Totals} of=${now} total=${now.total} /><a class="button primary wide" href="/checkout" onClick=${closeCart}>Checkout</a>`;
  return html`<${Dialog} title="Your cart" kind="drawer" onClose=${closeCart} foot=${foot}>
    ${!now
      ? html`<p class="spinner" role="status" aria-label="Loading"></p>`
      : isEmpty
        ? html`<div class="empty"><${Icon} name="cart" /><h3>It is empty</h3><p>What you add is kept for you, on every device.</p><a class="button" href="/search" onClick=${closeCart}>Browse products</a></div>`
        : html`<ul class="lines">${now.items.map((item) => html`<li key=${item.id}><${Line} item=${item} /></li>`)}</ul><${Code} now=${now} />`}
  <//>`;
}

/** A line: how many, and away with it. */
function Line({ item }) {
  const [isBusy, setBusy] = useState(false);
  const change = async (work) => {
    setBusy(true);
    try {
      await work();
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      toast(problem.message);
      await refreshCart();
    }
    setBusy(false);
  };
  const set = (quantity) => change(async () => show(await api.patch(`/api/cart/update/${item.id}/`, { quantity })));
  const remove = () =>
    change(async () => {
      await api.delete(`/api/cart/remove/${item.id}/`);
      announce(`${item.product_name} is no longer in your cart`);
      await refreshCart();
    });
  const name = `${item.product_name}${item.variant_name === "Default" ? "" : `, ${item.variant_name}`}`;
  return html`<div class="line" aria-busy=${String(isBusy)}>
    <span class="line-picture"><${Picture} product=${{ ...item, id: item.product_id, name: item.product_name }} /></span>
    <div class="line-words">
      <a href=${productHref({ id: item.product_id })} onClick=${closeCart}>${item.product_name}</a>
      ${item.variant_name !== "Default" && html`<p class="fine">${item.variant_name}</p>`}
      ${item.warnings.map((code) => html`<p class="line-warning" key=${code}><${Icon} name="alert" class="small" />${WARNINGS[code] ?? code}</p>`)}
      <div class="line-tools">
        <${Stepper} value=${item.quantity} name=${name} isBusy=${isBusy} onSet=${set} />
        <button type="button" class="link-button" aria-label=${`Remove ${name}`} onClick=${remove}>Remove</button>
      </div>
    </div>
    <p class="line-price number">${money(item.subtotal)}</p>
  </div>`;
}

/**
 * How many of it.
 * @param {{value: number, name: string, most?: number, isBusy?: boolean, onSet: (quantity: number) => void}} props
 */
export function Stepper({ value, name, most = 9999, isBusy = false, onSet }) {
  const step = (by) => {
    const next = value + by;
    if (!isBusy && next >= 1 && next <= most) onSet(next);
  };
  return html`<div class="stepper" role="group" aria-label=${`Quantity of ${name}`}>
    <button type="button" aria-label="Decrease quantity" aria-disabled=${value <= 1 ? "true" : undefined} onClick=${() => step(-1)}><${Icon} name="minus" class="small" /></button>
    <output class="number" aria-live="polite">${value}</output>
    <button type="button" aria-label="Increase quantity" aria-disabled=${value >= most ? "true" : undefined} onClick=${() => step(1)}><${Icon} name="plus" class="small" /></button>
  </div>`;
}

/** The code: what is on the cart, or a field for one. */
export function Code({ now }) {
  const [isAsked, setAsked] = useState(false);
  const clear = async () => {
    try {
      await api.delete("/api/cart/discount/");
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      toast(problem.message);
    }
    await refreshCart();
  };
  if (now.discount) {
    const isIdle = now.warnings.includes("discount-not-applicable");
    return html`<div class="code">
      <p class="actions"><span class=${`badge ${isIdle ? "warn" : "good"}`}><${Icon} name="tag" class="small" />${now.discount.code}</span>
        <button type="button" class="link-button" onClick=${clear}>Remove the code</button></p>
      ${isIdle && html`<p class="line-warning"><${Icon} name="alert" class="small" />${WARNINGS["discount-not-applicable"]}</p>`}
    </div>`;
  }
  if (!isAsked) return html`<p class="code"><button type="button" class="link-button" onClick=${() => setAsked(true)}>Have a code?</button></p>`;
  const send = async ({ code }) => {
    show(await api.post("/api/cart/discount/", { code }));
    announce(`The code ${code} is on your cart`);
    setAsked(false);
  };
  return html`<div class="code">
    <${Form} onSend=${send} shown=${["code"]} class="code-form">
      ${({ problem, isBusy }) => html`<${Field} label="Code" name="code" autocomplete="off" autocapitalize="characters" required fault=${problem?.of("code")} />
        <${Submit} isBusy=${isBusy} class="">Apply<//>`}
    <//>
  </div>`;
}

/**
 * What it costs.
 * @param {{of: {subtotal: string, discount_total: string}, total: string, currency?: string}} props
 */
export function Totals({ of, total, currency }) {
  const hasDiscount = !/^0(\.0+)?$/.test(of.discount_total);
  return html`<dl class="totals">
    <div><dt>Subtotal</dt><dd class="number">${money(of.subtotal, currency)}</dd></div>
    ${hasDiscount && html`<div class="saved"><dt>Discount</dt><dd class="number">−${money(of.discount_total, currency)}</dd></div>`}
    <div class="total"><dt>Total</dt><dd class="number">${money(total, currency)}</dd></div>
  </dl>`;
}
