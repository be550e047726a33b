/**
 * Addresses: chosen at the checkout, kept in the account.
 */

import { html } from "../shared/html.js";
import { api } from "../shared/api.js";
import { Field, Form, Submit } from "../shared/ui.js";

/** An address on one line. */
export const said = (address) =>
  [address.street, [address.postal_code, address.city].filter(Boolean).join(" "), address.region, address.country].filter(Boolean).join(", ");

const FIELDS = ["street", "city", "region", "postal_code", "country"];

/**
 * A form for one.
 * @param {{address?: object, onDone: (address: object) => void, onCancel?: () => void}} props `address`: the one that
 *   is changed
 */
export function AddressForm({ address, onDone, onCancel }) {
  const send = async (values) => {
    onDone(address ? await api.patch(`/api/address/${address.id}/`, values) : await api.post("/api/address/", values));
  };
  return html`<${Form} onSend=${send} shown=${FIELDS}>
    ${({ problem, isBusy }) => html`
      <${Field} label="Street and number" name="street" autocomplete="street-address" required defaultValue=${address?.street} fault=${problem?.of("street")} />
      <div class="pair">
        <${Field} label="Postal code (optional)" name="postal_code" autocomplete="postal-code" defaultValue=${address?.postal_code} fault=${problem?.of("postal_code")} />
        <${Field} label="City" name="city" autocomplete="address-level2" required defaultValue=${address?.city} fault=${problem?.of("city")} />
      </div>
      <div class="pair">
        <${Field} label="Region (optional)" name="region" autocomplete="address-level1" defaultValue=${address?.region} fault=${problem?.of("region")} />
        <${Field} label="Country" name="country" autocomplete="country-name" required defaultValue=${address?.country} fault=${problem?.of("country")} />
      </div>
      <${Field} as="select" label="Kind" name="address_type" fault=${problem?.of("address_type")}>
        ${["home", "work"].map((kind) => html`<option key=${kind} value=${kind} selected=${address?.address_type === kind}>${kind === "home" ? "Home" : "Work"}</option>`)}
      <//>
      <div class="actions"><${Submit} isBusy=${isBusy}>Save address<//>${onCancel && html`<button type="button" class="button quiet" onClick=${onCancel}>Cancel</button>`}</div>
    `}
  <//>`;
}
