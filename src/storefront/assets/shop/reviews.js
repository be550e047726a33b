/**
 * What buyers say of a product, and what one says oneself.
 */

import { html, useEffect, useId, useState } from "../shared/html.js";
import { api, useAnswer } from "../shared/api.js";
import { day, plural } from "../shared/format.js";
import { Icon } from "../shared/icons.js";
import { Problem } from "../shared/problem.js";
import { user } from "../shared/session.js";
import { useStore } from "../shared/store.js";
import { Field, Form, Stars, Submit, toast } from "../shared/ui.js";
import { askToSignIn } from "./people.js";

/** How many are shown at first, and with each further step. */
const SOME = 6;
/** After a review the product's mean follows within a moment: milliseconds. */
const SOON = 400;

/** @param {{product: object, onWritten: () => void}} props */
export function Reviews({ product, onWritten }) {
  const path = `/api/review/?product_id=${product.id}&page_size=${SOME}`;
  const { data, reload } = useAnswer(path, { fresh: true });
  const [further, setFurther] = useState({ results: [], next: undefined });
  const [isWriting, setWriting] = useState(false);
  const who = useStore(user);
  useEffect(() => setFurther({ results: [], next: undefined }), [data]);
  const all = [...(data?.results ?? []), ...further.results];
  const next = further.next === undefined ? data?.next_cursor : further.next;
  const own = who && all.find((review) => review.user_id === who.id);
  const more = async () => {
    try {
      const page = await api.get(`${path}&cursor=${encodeURIComponent(next)}`);
      setFurther({ results: [...further.results, ...page.results], next: page.next_cursor ?? null });
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      toast(problem.message);
    }
  };
  const written = () => {
    setWriting(false);
    reload();
    setTimeout(onWritten, SOON);
  };
  const write = () => askToSignIn("Sign in to write a review", () => setWriting(true));
  return html`<section class="reviews" id="reviews" aria-labelledby="reviews-heading">
    <div class="shelf-head">
      <h2 id="reviews-heading">Reviews</h2>
      ${!isWriting && html`<button type="button" class="button small" onClick=${write}><${Icon} name="edit" class="small" />${own ? "Change your review" : "Write a review"}</button>`}
    </div>
    <p class="reviews-mean"><${Stars} rating=${product.rating} reviews=${product.review_count} /></p>
    ${isWriting && html`<${Writing} product=${product} own=${own} onDone=${written} onCancel=${() => setWriting(false)} />`}
    <ul class="reviews-list">
      ${all.map(
        (review) => html`<li key=${review.id} class="review">
          <div class="review-head"><strong>${review.username}</strong>${review.verified_purchase && html`<span class="badge good"><${Icon} name="check" class="small" />Verified purchase</span>`}</div>
          <${Stars} rating=${review.rating} />
          ${review.comment && html`<p class="review-text">${review.comment}</p>`}
          <p class="fine">${day(review.created_at)}</p>
        </li>`,
      )}
    </ul>
    ${data && all.length === 0 && !isWriting && html`<p class="muted">${product.review_count > 0 ? `${plural(product.review_count, "rating")} without words.` : "No reviews yet. Be the first."}</p>`}
    ${next && html`<button type="button" class="button" onClick=${more}>More reviews</button>`}
  </section>`;
}

function Writing({ product, own, onDone, onCancel }) {
  const [rating, setRating] = useState(own?.rating ?? 0);
  const [isMissing, setMissing] = useState(false);
  const id = useId();
  const send = async ({ comment }) => {
    if (rating === 0) return setMissing(true);
    const said = { rating, comment };
    if (own) await api.patch(`/api/review/${own.id}/`, said);
    else await api.post("/api/review/", { product_id: product.id, ...said });
    toast("Thank you: your review is published.");
    return onDone();
  };
  return html`<div class="panel writing">
    <${Form} onSend=${send} shown=${["comment"]}>
      ${({ problem, isBusy }) => html`
        <fieldset class="field"><legend>Your rating</legend>
          <div class="rate">
            ${[1, 2, 3, 4, 5].map(
              (value) => html`<label key=${value} class=${value <= rating ? "lit" : ""}>
                <input type="radio" name=${id} checked=${value === rating} onChange=${() => { setRating(value); setMissing(false); }} />
                <span aria-hidden="true">★</span><span class="hidden">${plural(value, "star")}</span>
              </label>`,
            )}
          </div>
          ${isMissing && html`<p class="fault" role="alert"><${Icon} name="alert" class="small" />Choose from one to five stars.</p>`}
        </fieldset>
        <${Field} as="textarea" label="Your review" name="comment" rows="4" maxlength="5000" defaultValue=${own?.comment ?? ""} fault=${problem?.of("comment")} />
        <div class="actions"><${Submit} isBusy=${isBusy}>Publish<//><button type="button" class="button quiet" onClick=${onCancel}>Cancel</button></div>
      `}
    <//>
  </div>`;
}
