/**
 * One account: its role, whether it may sign in, and its end.
 */

import { html, useState } from "../shared/html.js";
import { api, useAnswer } from "../shared/api.js";
import { word } from "../shared/format.js";
import { navigate } from "../shared/router.js";
import { Field, Form, Skeleton, Submit, Trouble, toast } from "../shared/ui.js";
import { Badge, Facts, Part, Sheet, When, attempt, confirmed } from "./parts.js";

const BACK = { href: "/admin/users", label: "Users" };
const MAY = { customer: "Buys.", vendor: "Buys, and writes products of its own.", admin: "Does everything, here too." };

/** @param {{id: string, who: object}} props */
export function User({ id, who }) {
  const { data: user, problem, reload } = useAnswer(`/api/users/${id}/`, { fresh: true });
  if (problem && !user) return html`<${Sheet} title="User" back=${BACK}><${Trouble} problem=${problem} onRetry=${reload} /><//>`;
  if (!user) return html`<${Sheet} title="User" back=${BACK}><${Skeleton} h="16rem" /><//>`;
  const remove = async () => {
    const question = { title: `Delete ${user.username}'s account?`, text: "Name, email and addresses are forgotten for good. Orders stay.", yes: "Delete the account", danger: true };
    if (!(await confirmed(question))) return;
    if (await attempt(() => api.delete(`/api/users/${id}/`), "The account is deleted.")) navigate("/admin/users");
  };
  const isMe = user.id === who.id;
  return html`<${Sheet} title=${user.username} back=${BACK} lead=${html`<${Badge} code=${user.role} /> <${Badge} code=${user.is_active ? "active" : "off"} /> since <${When} at=${user.date_joined} />`}
      actions=${html`<a class="button" href=${`/admin/orders?user_id=${user.id}`}>Orders</a><a class="button" href=${`/admin/audit?actor_id=${user.id}`}>What was changed</a>${!isMe && html`<button type="button" class="button danger" onClick=${remove}>Delete</button>`}`}>
    <div class="halves">
      <${Rights} key=${`${user.role} ${user.is_active}`} user=${user} isMe=${isMe} onDone=${reload} />
      <${Part} title="Who it is"><${Facts} rows=${[["Email", user.email], ["First name", user.first_name || "–"], ["Last name", user.last_name || "–"], ["Phone", user.phone || "–"], ["Id", html`<span class="number">${user.id}</span>`]]} /><//>
    </div>
  <//>`;
}

function Rights({ user, isMe, onDone }) {
  const [role, setRole] = useState(user.role);
  const [isActive, setActive] = useState(user.is_active);
  const isChanged = role !== user.role || isActive !== user.is_active;
  const send = async () => {
    const changes = {};
    if (role !== user.role) changes.role = role;
    if (isActive !== user.is_active) changes.is_active = isActive;
    if (role === "admin" && user.role !== "admin" && !(await confirmed({ title: `Make ${user.username} an administrator?`, text: "Administrators change everything: prices, orders, refunds, other administrators.", yes: "Make an administrator" }))) return;
    await api.patch(`/api/users/${user.id}/`, changes);
    toast(`${user.username} is saved.`);
    onDone();
  };
  return html`<${Part} title="Rights" lead=${isMe ? "This is your own account." : undefined}>
    <${Form} onSend=${send} shown=${["role", "is_active"]}>${({ problem, isBusy }) => html`
      <${Field} label="Role" name="role" as="select" value=${role} hint=${MAY[role]} onChange=${(event) => setRole(event.target.value)} fault=${problem?.of("role")}>
        ${Object.keys(MAY).map((name) => html`<option key=${name} value=${name}>${word(name)}</option>`)}<//>
      <label class="check switch"><input type="checkbox" role="switch" checked=${isActive} onChange=${(event) => setActive(event.target.checked)} />May sign in</label>
      <div class="actions"><${Submit} isBusy=${isBusy || !isChanged}>Save<//></div>`}<//>
  <//>`;
}
