/**
 * How the index is, at a glance and over the last minutes.
 */

import { html } from "../shared/html.js";
import { count, moment, plural } from "../shared/format.js";
import { Skeleton } from "../shared/ui.js";
import { WINDOW, series, useSamples } from "./metrics.js";
import { Sheet } from "./parts.js";
import { Plot } from "./plot.js";
import { Reindex } from "./reindex.js";
import { Verify } from "./verify.js";

const decimals = (digits) => new Intl.NumberFormat(undefined, { maximumFractionDigits: digits });
const [whole, fine] = [decimals(0), decimals(2)];
const rounded = (value) => (value >= 100 ? whole : fine).format(value);
const milliseconds = (value) => (value >= 1000 ? `${fine.format(value / 1000)} s` : `${rounded(value)} ms`);
const percent = (value) => `${whole.format(value)} %`;
const perSecond = (value) => `${rounded(value)} /s`;

/** @param {number} bytes */
function size(bytes) {
  const unit = ["B", "kB", "MB", "GB", "TB"];
  const step = Math.min(unit.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
  return `${decimals(step === 0 ? 0 : 1).format(bytes / 1000 ** step)} ${unit[step]}`;
}

/** The first page. */
export function Overview() {
  const samples = useSamples();
  const known = samples.findLast(({ index }) => index !== null)?.index;
  const lines = series(samples);
  // A page that was just opened shows its minute, and not four empty ones beside it.
  const span = Math.min(WINDOW, Math.max(60_000, Date.now() - (samples[0]?.at ?? Date.now())));
  return html`<${Sheet} title="Overview" lead="The index of the node that answers, asked every two seconds.">
    <${Tiles} index=${known} hits=${lines.hits.at(-1)?.value ?? null} />
    <div class="plots">
      <${Plot} title="Search latency" span=${span} format=${milliseconds} least=${1}
        lines=${[{ name: "p95", tone: "second", points: lines.slow }, { name: "median", tone: "first", points: lines.median }]} />
      <${Plot} title="Searches" span=${span} format=${perSecond} least=${1} lines=${[{ name: "Searches", tone: "first", points: lines.searches }]} />
      <${Plot} title="Index lag" span=${span} format=${milliseconds} least=${100} lines=${[{ name: "Lag", tone: "first", points: lines.lag }]} />
      <${Plot} title="Cache hit rate" span=${span} format=${percent} most=${100} lines=${[{ name: "Hits", tone: "first", points: lines.hits }]} />
    </div>
    <div class="halves">
      <${Reindex} canGoBack=${known?.can_roll_back ?? false} />
      <${Verify} />
    </div>
  <//>`;
}

function Tiles({ index, hits }) {
  if (!index) {
    return html`<ul class="tiles" aria-busy="true">${[1, 2, 3, 4, 5, 6].map((at) => html`<li key=${at} class="panel tile"><${Skeleton} w="5rem" /><${Skeleton} w="7rem" h="1.6em" /><${Skeleton} w="6rem" /></li>`)}</ul>`;
  }
  const { cache } = index;
  const asked = cache.hits + cache.misses;
  const lag = index.lag_seconds;
  const tiles = [
    ["Documents", count(index.documents), `${plural(index.segments, "segment")}, ${size(index.bytes)}`],
    ["Lag", lag === null ? "unknown" : milliseconds(lag * 1000), lag === null ? "the database is away" : index.pending_changes === 0 ? "level with the database" : `${plural(index.pending_changes, "product")} waiting`, lag === null || lag > 5 ? "warn" : "good"],
    ["Cache hit rate", asked === 0 ? "–" : percent((cache.hits / asked) * 100), hits === null ? `${plural(cache.entries, "answer")} kept` : `${percent(hits)} just now, ${count(cache.entries)} kept`],
    ["Generation", count(index.generation), `${index.version.split(":").pop()} is the newest write`],
    ["Last commit", index.last_commit_at ? ago(index.last_commit_at) : "none yet", index.last_commit_at ? moment(index.last_commit_at) : "since this start"],
    ["Oldest open write", index.horizon_seconds === null ? "unknown" : milliseconds(index.horizon_seconds * 1000), index.horizon_seconds > 3600 ? "worth a look" : "nothing holds it up", index.horizon_seconds > 3600 ? "warn" : ""],
  ];
  return html`<ul class="tiles" aria-label="The index now">
    ${tiles.map(([name, value, about, tone = ""]) => html`<li key=${name} class="panel tile"><span class="fine">${name}</span><strong class="number">${value}</strong><span class=${`fine about ${tone}`}>${about}</span></li>`)}
  </ul>`;
}

function ago(instant) {
  const seconds = Math.max(0, Math.round((Date.now() - new Date(instant)) / 1000));
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ago`;
  return `${plural(Math.floor(seconds / 86_400), "day")} ago`;
}
