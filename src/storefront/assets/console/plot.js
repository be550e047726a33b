/**
 * Lines over the last minutes. Who does not see them hears what they come to; who points at them reads an instant.
 */

import { html, useState } from "../shared/html.js";

const time = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });

/** A round number that is not below `value`. */
function roundUp(value) {
  if (value <= 0) return 1;
  const step = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 2.5, 5, 10].map((times) => times * step).find((round) => round >= value - 1e-12);
}

/**
 * @typedef {{at: number, value: number | null}} Point
 * @param {{title: string, lines: {name: string, tone: string, points: Point[]}[], format: (value: number) => string,
 *   span: number, least?: number, most?: number}} props `span`: milliseconds that are shown; `least`: the axis reaches
 *   so far at least; `most`: and there it ends
 */
export function Plot({ title, lines, format, span, least = 0, most }) {
  const [pointed, setPointed] = useState(null);
  const known = lines.flatMap(({ points }) => points.filter(({ value }) => value !== null));
  const top = most ?? roundUp(Math.max(least, ...known.map(({ value }) => value)));
  const end = Math.max(...lines.flatMap(({ points }) => points.map(({ at }) => at)), Date.now() - 4000);
  const x = (at) => 100 - ((end - at) / span) * 100;
  const y = (value) => 40 - (Math.min(value, top) / top) * 38;
  const instant = pointed === null ? null : nearest(lines[0].points, pointed);
  const shown = (points) => (instant === null ? last(points) : (points.find(({ at }) => at === instant)?.value ?? null));
  const point = (event) => {
    const box = event.currentTarget.getBoundingClientRect();
    setPointed(end - (1 - (event.clientX - box.left) / box.width) * span);
  };
  return html`<figure class="plot panel">
    <figcaption>
      <h2>${title}</h2>
      <span class="plot-values">${lines.map(
        ({ name, tone, points }) => html`<span key=${name} class="plot-value"><span class=${`key ${tone}`} aria-hidden="true"></span>${lines.length > 1 && html`<span class="fine">${name}</span>`}
          <strong class="number">${shown(points) === null ? "–" : format(shown(points))}</strong></span>`,
      )}</span>
    </figcaption>
    <div class="plot-area" onPointerMove=${point} onPointerLeave=${() => setPointed(null)}>
      <svg viewBox="0 0 100 40" preserveAspectRatio="none" role="img" aria-label=${spoken(title, lines, format)}>
        ${[2, 21, 40].map((at) => html`<line key=${at} class="grid" x1="0" x2="100" y1=${at} y2=${at} />`)}
        ${lines.map(({ name, tone, points }) => html`<path key=${name} class=${`line ${tone}`} d=${path(points.filter(({ at }) => at >= end - span), x, y)} />`)}
        ${instant !== null && html`<line class="pointed" x1=${x(instant)} x2=${x(instant)} y1="0" y2="40" />`}
      </svg>
      <span class="plot-top number" aria-hidden="true">${format(top)}</span>
    </div>
    <div class="plot-times number" aria-hidden="true"><span>${Math.max(1, Math.round(span / 60_000))} min ago</span>
      ${instant !== null && html`<span>${time.format(instant)}</span>`}<span>now</span></div>
  </figure>`;
}

const last = (points) => points.at(-1)?.value ?? null;

function nearest(points, to) {
  let found = null;
  for (const { at } of points) if (found === null || Math.abs(at - to) < Math.abs(found - to)) found = at;
  return found;
}

/** One path with a gap wherever nothing is known; a point alone is a short stroke. */
function path(points, x, y) {
  let isDrawing = false;
  const parts = [];
  for (const [place, { at, value }] of points.entries()) {
    if (value === null) {
      isDrawing = false;
      continue;
    }
    const isAlone = !isDrawing && (points[place + 1]?.value ?? null) === null;
    parts.push(`${isDrawing ? "L" : "M"}${x(at).toFixed(2)} ${y(value).toFixed(2)}${isAlone ? "h0.3" : ""}`);
    isDrawing = true;
  }
  return parts.join("");
}

function spoken(title, lines, format) {
  const said = lines.map(({ name, points }) => {
    const values = points.map(({ value }) => value).filter((value) => value !== null);
    if (values.length === 0) return `${name}: nothing measured yet`;
    const now = last(points);
    const range = `between ${format(Math.min(...values))} and ${format(Math.max(...values))}`;
    return `${name}: ${now === null ? "nothing now" : `${format(now)} now`}, ${range}`;
  });
  return `${title}. ${said.join("; ")}.`;
}
