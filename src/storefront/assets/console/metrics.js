/**
 * How the shop has been in the last minutes: the index's status and the process's metrics, asked every other second and
 * kept by the page, since the server keeps no history.
 */

import { api } from "../shared/api.js";
import { store, useStore } from "../shared/store.js";
import { useEffect } from "../shared/html.js";

/** How often is asked. */
const EVERY = 2000;
/** How far back is shown. */
export const WINDOW = 5 * 60 * 1000;
/** Latencies are told over so many samples: one alone has few searches. */
const SPAN = 5;

/**
 * @typedef {object} Sample
 * @property {number} at milliseconds since 1970
 * @property {object | null} index as `/api/admin/index/` says; null: no answer
 * @property {Map<number, number> | null} buckets searches that took so many seconds at most
 * @property {number} responses sent since the process began
 * @property {number} failures those of them with 5xx
 */

/** @type {ReturnType<typeof store<Sample[]>>} */
const samples = store([]);

let timer = null;

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;

/**
 * Prometheus' text format, as far as duka writes it.
 * @param {string} text
 * @returns {{name: string, labels: Record<string, string>, value: number}[]}
 */
function parse(text) {
  const found = [];
  for (const line of text.split("\n")) {
    const parts = LINE.exec(line);
    if (!parts) continue;
    const labels = Object.fromEntries([...(parts[2] ?? "").matchAll(LABEL)].map(([, name, value]) => [name, value]));
    found.push({ name: parts[1], labels, value: Number(parts[3]) });
  }
  return found;
}

async function metrics() {
  const response = await fetch("/metrics", { cache: "no-store" });
  if (!response.ok) return null;
  const all = parse(await response.text());
  const buckets = new Map();
  for (const { labels, value } of all.filter(({ name }) => name === "duka_search_seconds_bucket")) {
    const bound = labels.le === "+Inf" ? Infinity : Number(labels.le);
    buckets.set(bound, (buckets.get(bound) ?? 0) + value);
  }
  const sent = all.filter(({ name }) => name === "duka_http_responses_total");
  const sum = (of) => of.reduce((total, { value }) => total + value, 0);
  return { buckets, responses: sum(sent), failures: sum(sent.filter(({ labels }) => labels.status.startsWith("5"))) };
}

async function sample() {
  if (document.hidden) return;
  const at = Date.now();
  let taken = { at, index: null, buckets: null, responses: 0, failures: 0 };
  try {
    const [index, measured] = await Promise.all([api.get("/api/admin/index/"), metrics()]);
    taken = { at, index, buckets: null, responses: 0, failures: 0, ...measured };
  } catch {
    // A gap; that the server is away is said elsewhere.
  }
  samples.set([...samples.get().filter((old) => old.at > at - WINDOW - 2 * EVERY), taken]);
}

/** The samples so far. Once a page has asked for them, they go on being taken while the console is open. */
export function useSamples() {
  useEffect(() => {
    if (timer === null) {
      sample();
      timer = setInterval(sample, EVERY);
    }
  }, []);
  return useStore(samples);
}

/** Takes one out of turn: something has just changed. */
export const sampleNow = sample;

/** Ends it: who may ask has signed out. */
export function stopSampling() {
  clearInterval(timer);
  timer = null;
  samples.set([]);
}

/** The time below which `share` of the searches between two samples stayed, in seconds; null: there were none. */
export function quantile(before, after, share) {
  if (!before?.buckets || !after?.buckets) return null;
  const bounds = [...after.buckets.keys()].sort((a, b) => a - b);
  const counted = bounds.map((bound) => after.buckets.get(bound) - (before.buckets.get(bound) ?? 0));
  const total = counted.at(-1) ?? 0;
  if (total <= 0) return null;
  const rank = total * share;
  const at = counted.findIndex((below) => below >= rank);
  const [low, below] = at === 0 ? [0, 0] : [bounds[at - 1], counted[at - 1]];
  if (bounds[at] === Infinity) return low;
  return low + (bounds[at] - low) * ((rank - below) / Math.max(1, counted[at] - below));
}

/** What is plotted, point by point. */
export function series(all) {
  const points = (value) => all.map((now, at) => ({ at: now.at, value: now.index ? value(now, at) : null }));
  const earlier = (at) => all[Math.max(0, at - SPAN)];
  const searches = (sampled) => (sampled?.buckets ? (sampled.buckets.get(Infinity) ?? 0) : null);
  const rate = (now, before, of) => {
    const [later, sooner] = [of(now), before && of(before)];
    if (later === null || sooner === null || later < sooner || now.at === before.at) return null;
    return (later - sooner) / ((now.at - before.at) / 1000);
  };
  const milliseconds = (seconds) => (seconds === null ? null : seconds * 1000);
  const hitRate = (now, before) => {
    if (!before?.index) return null;
    const [hits, misses] = ["hits", "misses"].map((name) => now.index.cache[name] - before.index.cache[name]);
    return hits + misses > 0 ? (hits / (hits + misses)) * 100 : null;
  };
  return {
    searches: points((now, at) => (at === 0 ? null : rate(now, earlier(at), searches))),
    median: points((now, at) => milliseconds(quantile(earlier(at), now, 0.5))),
    slow: points((now, at) => milliseconds(quantile(earlier(at), now, 0.95))),
    lag: points((now) => milliseconds(now.index.lag_seconds)),
    hits: points((now, at) => hitRate(now, earlier(at))),
    failures: points((now, at) => (at === 0 ? null : rate(now, earlier(at), (sampled) => (sampled.buckets ? sampled.failures : null)))),
  };
}
