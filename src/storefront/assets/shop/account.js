/**
 * The account: who one is, one's password, and one's addresses.
 */

import { html, useState } from "../shared/html.js";
import { api, signOut, useAnswer } from "../shared/api.js";
import { Icon } from "../shared/icons.js";
import { Problem } from "../shared/problem.js";
import { useTitle } from "../shared/router.js";
import { user } from "../shared/session.js";
import { Dialog, Field, Form, Submit, Trouble, toast } from "../shared/ui.js";
import { AddressForm, said } from "./addresses.js";

/** @param {{who: object}} props */
export function Account({ who }) {
  useTitle("Your account");
  return html`<div class="narrow-head account-head"><h1>Your account</h1>
      <button type="button" class="button small" onClick=${signOut}><${Icon} name="out" class="small" />Sign out</button></div>
    <ul class="account-doors">
      <li><a class="panel" href="/orders"><${Icon} name="box" /><strong>Orders</strong><span class="fine">Track and review your purchases</span></a></li>
      <li><a class="panel" href="/wishlist"><${Icon} name="heart" /><strong>Wishlist</strong><span class="fine">Saved for later</span></a></li>
      ${who.role === "admin" && html`<li><a class="panel" href="/admin/"><${Icon} name="chart" /><strong>Console</strong><span class="fine">For administrators</span></a></li>`}
    </ul>
    <div class="account">
      <${Profile} who=${who} />
      <${Password} who=${who} />
      <${Addresses} />
    </div>`;
}

const FIELDS = ["first_name", "last_name", "email", "phone"];

function Profile({ who }) {
  const send = async (values) => {
    user.set(await api.patch("/api/auth/me/", values));
    toast("Your details are saved.");
  };
  return html`<section class="panel" aria-labelledby="profile-heading">
    <h2 id="profile-heading">Details</h2>
    <p class="fine">Your username is <strong>${who.username}</strong>.</p>
    <${Form} onSend=${send} shown=${FIELDS}>
      ${({ problem, isBusy }) => html`
        <div class="pair">
          <${Field} label="First name" name="first_name" autocomplete="given-name" defaultValue=${who.first_name} fault=${problem?.of("first_name")} />
          <${Field} label="Last name" name="last_name" autocomplete="family-name" defaultValue=${who.last_name} fault=${problem?.of("last_name")} />
        </div>
        <${Field} label="Email" name="email" type="email" autocomplete="email" required defaultValue=${who.email} fault=${problem?.of("email")} />
        <${Field} label="Phone" name="phone" type="tel" autocomplete="tel" defaultValue=${who.phone} fault=${problem?.of("phone")} />
        <div class="actions"><${Submit} isBusy=${isBusy}>Save<//></div>
      `}
    <//>
  </section>`;
}

function Password({ who }) {
  const [turn, setTurn] = useState(0);
  const send = async (values) => {
    await api.post("/api/auth/password/", values);
    toast("Your password is changed; every other session has ended.");
    setTurn(turn + 1);
  };
  return html`<section class="panel" aria-labelledby="password-heading">
    <h2 id="password-heading">Password</h2>
    <${Form} key=${turn} onSend=${send} shown=${["old_password", "new_password"]}>
      ${({ problem, isBusy }) => html`
        <input class="hidden" type="text" autocomplete="username" value=${who.username} readonly tabindex="-1" aria-hidden="true" />
        <${Field} label="Current password" name="old_password" type="password" autocomplete="current-password" required fault=${problem?.of("old_password")} />
        <${Field} label="New password" name="new_password" type="password" autocomplete="new-password" required hint="At least 8 characters" fault=${problem?.of("new_password")} />
        <div class="actions"><${Submit} isBusy=${isBusy}>Change password<//></div>
      `}
    <//>
  </section>`;
}

function Addresses() {
  const { data, problem, reload } = useAnswer("/api/address/?page_size=100", { fresh: true });
  const [edited, setEdited] = useState(null);
  const remove = async (address) => {
    try {
      await api.delete(`/api/address/${address.id}/`);
    } catch (refusal) {
      if (!(refusal instanceof Problem)) throw refusal;
      toast(refusal.message);
    }
    reload();
  };
  const done = () => {
    setEdited(null);
    reload();
  };
  return html`<section class="panel" aria-labelledby="addresses-heading">
    <h2 id="addresses-heading">Addresses</h2>
    ${problem && !data && html`<${Trouble} problem=${problem} onRetry=${reload} />`}
    <ul class="addresses">
      ${data?.results.map(
        (address) => html`<li key=${address.id}><${Icon} name="pin" /><span>${said(address)}</span>
          <button type="button" class="icon-button" aria-label=${`Change ${address.street}`} onClick=${() => setEdited(address)}><${Icon} name="edit" class="small" /></button>
          <button type="button" class="icon-button" aria-label=${`Remove ${address.street}`} onClick=${() => remove(address)}><${Icon} name="trash" class="small" /></button></li>`,
      )}
    </ul>
    ${data?.results.length === 0 && html`<p class="muted">None yet.</p>`}
    <button type="button" class="button" onClick=${() => setEdited({})}><${Icon} name="plus" class="small" />Add an address</button>
    ${edited && html`<${Dialog} title=${edited.id ? "Change the address" : "Add an address"} onClose=${() => setEdited(null)}><${AddressForm} address=${edited.id ? edited : undefined} onDone=${done} /><//>`}
  </section>`;
}
