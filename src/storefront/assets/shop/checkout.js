/**
 * From the cart to an order: where it goes, how it is paid, and what it costs. The payment itself is on the order's
 * page, so that one that is declined can be tried again there.
 */

import { html, useEffect, useId, useRef, useState } from "../shared/html.js";
import { api, newKey, useAnswer } from "../shared/api.js";
import { money } from "../shared/format.js";
import { Icon } from "../shared/icons.js";
import { Problem } from "../shared/problem.js";
import { navigate, useTitle } from "../shared/router.js";
import { settings } from "../shared/settings.js";
import { useStore } from "../shared/store.js";
import { Skeleton, Trouble } from "../shared/ui.js";
import { AddressForm, said } from "./addresses.js";
import { Code, Totals, cart, refreshCart } from "./cart.js";

/** The ways of paying that the shop offers. */
export const METHODS = [
  settings.card && { name: "card", icon: "card", label: "Card", hint: "Paid at the card gateway; the shop never sees the number." },
  settings.mpesa && { name: "mpesa", icon: "phone", label: "M-Pesa", hint: "Your phone asks for the PIN." },
  { name: "cash_on_delivery", icon: "cash", label: "Cash on delivery", hint: "Paid to whoever brings it." },
].filter(Boolean);

export function Checkout() {
  useTitle("Checkout");
  const now = useStore(cart);
  const addresses = useAnswer("/api/address/?page_size=100", { fresh: true });
  const [addressId, setAddressId] = useState(null);
  const [isNew, setNew] = useState(false);
  const [method, setMethod] = useState(METHODS[0].name);
  const known = addresses.data?.results;
  useEffect(() => void refreshCart(), []);
  const chosen = known?.find(({ id }) => id === addressId) ?? known?.[0];

  if (addresses.problem && !known) return html`<${Trouble} isPage=${true} problem=${addresses.problem} onRetry=${addresses.reload} />`;
  if (now && now.items.length === 0) {
    return html`<div class="empty"><${Icon} name="cart" /><h1>Your cart is empty</h1><a class="button primary" href="/search">Browse products</a></div>`;
  }
  const isAsked = isNew || known?.length === 0;
  const added = (address) => {
    setNew(false);
    setAddressId(address.id);
    addresses.reload();
  };
  return html`<div class="narrow-head"><h1>Checkout</h1></div>
    <div class="checkout">
      <div class="checkout-main">
        <section class="panel" aria-labelledby="where">
          <h2 id="where">1. Delivery address</h2>
          ${!known
            ? html`<${Skeleton} h="4rem" />`
            : isAsked
              ? html`<${AddressForm} onDone=${added} onCancel=${known.length > 0 ? () => setNew(false) : undefined} />`
              : html`<${Choices} name="address" legend="Address" value=${chosen?.id} onChoose=${setAddressId}
                    choices=${known.map((one) => ({ value: one.id, icon: "pin", label: one.street, hint: said({ ...one, street: "" }) }))} />
                  <button type="button" class="link-button" onClick=${() => setNew(true)}><${Icon} name="plus" class="small" />Use another address</button>`}
        </section>
        <section class="panel" aria-labelledby="how">
          <h2 id="how">2. Payment</h2>
          <${Choices} name="method" legend="Way of paying" value=${method} onChoose=${setMethod}
            choices=${METHODS.map((one) => ({ value: one.name, icon: one.icon, label: one.label, hint: one.hint }))} />
        </section>
      </div>
      <${Summary} now=${now} address=${isAsked ? undefined : chosen} method=${method} />
    </div>`;
}

/** One of several, as boxes. */
export function Choices({ name, legend, value, onChoose, choices }) {
  const id = useId();
  return html`<fieldset class="choices"><legend class="hidden">${legend}</legend>
    ${choices.map(
      (choice) => html`<label class="choice" key=${choice.value}>
        <input type="radio" name=${`${name}-${id}`} value=${choice.value} checked=${choice.value === value} onChange=${() => onChoose(choice.value)} />
        <${Icon} name=${choice.icon} />
        <span><strong>${choice.label}</strong>${choice.hint && html`<span class="fine">${choice.hint}</span>`}</span>
      </label>`,
    )}
  </fieldset>`;
}

/** What it costs, and the button that orders it. */
function Summary({ now, address, method }) {
  const [state, setState] = useState({ problem: null, isBusy: false });
  // One key for each wish: an answer that was lost is had again, and nothing is ordered twice.
  const key = useRef({ of: "", key: "" });
  const order = async () => {
    if (state.isBusy) return;
    setState({ problem: null, isBusy: true });
    const body = { address_id: address.id, payment_method: method, expected_total: now.total };
    const of = JSON.stringify(body);
    if (key.current.of !== of) key.current = { of, key: newKey() };
    try {
      const made = await api.post("/api/order/", body, { headers: { "idempotency-key": key.current.key } });
      await refreshCart();
      navigate(`/orders/${made.id}`);
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      // What was refused was not done, and is a new wish; what got lost is the same one.
      if (!problem.isAway) key.current = { of: "", key: "" };
      setState({ problem, isBusy: false });
      await refreshCart();
    }
  };
  return html`<aside class="panel checkout-sum" aria-labelledby="sum">
    <h2 id="sum">Your order</h2>
    ${!now
      ? html`<${Skeleton} h="8rem" />`
      : html`<ul class="sum-lines">
            ${now.items.map(
              (item) => html`<li key=${item.id}>
                <span class="number muted">${item.quantity} ×</span>
                <span>${item.product_name}${item.variant_name !== "Default" && html`<span class="fine"> ${item.variant_name}</span>`}</span>
                <span class="number">${money(item.subtotal)}</span>
              </li>`,
            )}
          </ul>
          <${Code} now=${now} />
          <${Totals} of=${now} total=${now.total} />`}
    ${state.problem && html`<div class="note bad" role="alert"><${Icon} name="alert" /><span>${refusal(state.problem)}</span></div>`}
    <button type="button" class="button primary wide" disabled=${!address || !now} aria-disabled=${state.isBusy ? "true" : undefined} onClick=${order}>
      ${state.isBusy && html`<span class="spinner" aria-hidden="true"></span>`}${method === "cash_on_delivery" ? "Place order" : "Place order and pay"}${now && html` · <span class="number">${money(now.total)}</span>`}
    </button>
    ${!address && html`<p class="fine">Add a delivery address first.</p>`}
  </aside>`;
}

function refusal(problem) {
  if (problem.slug === "price-changed") return `The total is ${money(problem.body.total)} now. Place the order again to accept it.`;
  return problem.rest();
}
