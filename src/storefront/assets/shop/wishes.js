/**
 * What somebody wishes for: known to every heart on a product.
 */

import { html } from "../shared/html.js";
import { api } from "../shared/api.js";
import { Icon } from "../shared/icons.js";
import { Problem } from "../shared/problem.js";
import { user } from "../shared/session.js";
import { store, useStore } from "../shared/store.js";
import { announce, toast } from "../shared/ui.js";
import { askToSignIn } from "./people.js";

/** The wish's id by the product's. */
export const wishes = store(new Map());

/** How often they have changed: an answer from before a change is not shown after it. */
let changes = 0;

user.subscribe(async (who) => {
  if (!who) return wishes.set(new Map());
  const before = changes;
  try {
    const { items } = await api.get("/api/wishlist/");
    if (before === changes) wishes.set(new Map(items.map((item) => [item.product_id, item.id])));
  } catch (problem) {
    // The hearts stay empty; the page of wishes says what is wrong.
    if (!(problem instanceof Problem)) throw problem;
  }
  return undefined;
});

async function turn(product) {
  const known = wishes.get().get(product.id);
  changes += 1;
  try {
    if (known === undefined) {
      const item = await api.post("/api/wishlist/add/", { product_id: product.id });
      wishes.set(new Map(wishes.get()).set(item.product_id, item.id));
      announce(`${product.name} is on your wishlist`);
    } else {
      await api.delete(`/api/wishlist/remove/${known}/`);
      const next = new Map(wishes.get());
      next.delete(product.id);
      wishes.set(next);
      announce(`${product.name} is no longer on your wishlist`);
    }
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    toast(problem.message);
  }
}

/**
 * The button that puts a product on the wishlist, or takes it off.
 * @param {{product: object, label?: boolean}} props
 */
export function Heart({ product, label = false }) {
  const isWished = useStore(wishes).has(product.id);
  const act = () => askToSignIn("Sign in to keep a wishlist", () => turn(product));
  const icon = html`<${Icon} name="heart" class=${isWished ? "filled" : ""} />`;
  const name = isWished ? `Remove ${product.name} from wishlist` : `Add ${product.name} to wishlist`;
  return html`<button type="button" class=${label ? "button" : "icon-button heart"} aria-pressed=${String(isWished)} aria-label=${name} onClick=${act}>
    ${icon}${label && html`<span>${isWished ? "On your wishlist" : "Wishlist"}</span>`}
  </button>`;
}
