// The dashboard: reads its address, asks the API, draws; again every half minute and whenever something is chosen.

import { actionsReport } from "./actions.js";
import * as address from "./address.js";
import * as api from "./api.js";
import { drawBox, drawTrouble, fileLinks, makeBox, nameOf } from "./box.js";
import { BOXES, tabWith } from "./boxes.js";
import { drawChart, followSizeAndTheme, listenToKeys } from "./chart.js";
import { drawChips, listenToFilters } from "./chips.js";
import { drawControls, drawSites, listenToControls } from "./controls.js";
import { csvOf, save } from "./csv.js";
import { daysBetween, spanText, wallClock } from "./days.js";
import { titleOf, wordsOf } from "./dimensions.js";
import { redraw } from "./elements.js";
import { added } from "./filters.js";
import { showFirstRun, stopFirstRun } from "./first_run.js";
import { drawFunnels } from "./funnels.js";
import { DAILY_SUM, drawHeadline } from "./headline.js";
import { METRIC_NAMES, metricsOf } from "./metrics.js";
import { sayDataElsewhere, sayNoSite, sayNothing, sayNothingMatches, sayTrouble } from "./notices.js";
import { ago, count } from "./numbers.js";
import * as properties from "./properties.js";
import * as query from "./query.js";
import { comparedWith, rangeOf, unitOf } from "./ranges.js";
import { followRealtime } from "./realtime.js";
import { drawRetention } from "./retention.js";
import { drawSnippet, listenToCopy } from "./snippet.js";
import { daysOf, spanOf, spansOf } from "./spans.js";
import { statisticsOf } from "./statistics.js";

const REFRESH = 30_000; // ms
const REFRESH_WAITING = 5_000; // ms
const MOST_ROWS = 10_000; // of a file made here

const at = (id) => document.getElementById(id);
const mayWatch = document.body.dataset.role !== "share";

let view = address.read(METRIC_NAMES);
let shown = null; // what is on the page: the view with its site, range, unit, the range before, and whom to ask
let reports = new Set();
let refreshedAt = null; // ms
let lastGood = null;
let timer = 0;
let turn = 0;

function choose(changes) {
  view = { ...view, ...changes };
  view.metric = metricOf(view);
  address.write(view, METRIC_NAMES);
  drawChips(view.filters);
  at("numbers").setAttribute("aria-busy", "true");
  refresh();
}

// The chosen metric, or the first where the filters leave other ones.
const metricOf = ({ metric, filters }) => (metric in metricsOf(filters) ? metric : METRIC_NAMES[0]);

async function refresh() {
  clearTimeout(timer);
  const mine = ++turn;
  let pause = REFRESH;
  try {
    const [sites, catalogue] = await Promise.all([api.sites(), api.reports()]);
    reports = new Set(catalogue.map(({ name }) => name));
    const site = sites.find(({ domain }) => domain === view.site) ?? sites[0];
    const data = site ? await dataSpan(site.domain) : null;
    if (mine !== turn) return;
    drawTop(sites, site, catalogue);
    if (site && data) await showNumbers(site, data, () => mine === turn);
    else showEmpty(site);
    if (mine !== turn) return;
    pause = site && !data ? REFRESH_WAITING : REFRESH;
    lastGood = new Date();
    at("trouble").hidden = true;
  } catch (error) {
    if (mine !== turn) return;
    sayTrouble(at("trouble"), error, lastGood);
    if (!(error instanceof api.ApiError)) console.error(error);
  }
  at("numbers").setAttribute("aria-busy", "false");
  timer = setTimeout(refresh, pause);
}

// The first and last day a site has data of.
async function dataSpan(site) {
  if (!reports.has("traffic")) return null;
  const ends = { site, from: "0001-01-01", to: "9999-12-31", limit: 1 };
  const [first, last] = await Promise.all(["date", "-date"].map((order) => api.report("traffic", { ...ends, order })));
  return first.rows.length ? { first: first.rows[0].date, last: last.rows[0].date } : null;
}

function drawTop(sites, site, catalogue) {
  drawSites(sites, site);
  follow(site?.domain ?? null);
  const traffic = catalogue.find(({ name }) => name === "traffic");
  refreshedAt = traffic ? Date.parse(traffic.refreshed_at) : null;
  drawFreshness();
}

function showEmpty(site) {
  shown = null;
  for (const id of ["numbers", "snippet", "range", "filter-editor"]) at(id).hidden = true;
  if (site) {
    sayNothing(at("notice"));
    showFirstRun(at("first-run"), site, mayWatch);
  } else {
    stopFirstRun(at("first-run"));
    sayNoSite(at("notice"));
  }
}

async function showNumbers(site, data, isCurrent) {
  const clock = wallClock(site.time_zone);
  const today = clock.slice(0, 10);
  const range = rangeOf(view.choice, { today, data, from: view.from, to: view.to });
  const before = comparedWith(range, view.comparison, view.choice);
  const ask = await statisticsOf(site.domain, data, reports);
  if (!isCurrent()) return;
  const unit = unitOf(range, view.unit);
  const next = { ...view, site: site.domain, metric: metricOf(view), range, before, unit, today, clock, ask };
  shown = next;
  stopFirstRun(at("first-run"));
  for (const id of ["range", "snippet"]) at(id).hidden = false;
  drawSnippet(at("snippet"), site.snippet);
  drawControls(next);
  const below = Promise.all([
    ...boxes.map((made) => fill(made, next, isCurrent)),
    drawFunnels(at("funnels"), next, reports, isCurrent),
    drawRetention(at("retention"), next, reports, isCurrent),
  ]);
  below.catch(() => {}); // told where it is awaited
  const ofBefore = (make) => (before ? ask(make(next, before)) : null);
  const [numbers, numbersBefore, values, valuesBefore, traffic] = await Promise.all([
    ask(query.totals(next, range)),
    ofBefore(query.totals),
    ask(query.series(next, range)),
    ofBefore(query.series),
    api.everyRow("traffic", { site: site.domain, from: range.first, to: range.last }),
  ]);
  if (!isCurrent()) return;
  drawFound(next, data, numbers, numbersBefore, values, valuesBefore, traffic);
  await below;
}

function drawFound(next, data, numbers, numbersBefore, values, valuesBefore, traffic) {
  const { site, range } = next;
  const isEmpty = !numbers.results[0]?.metrics[0] && !values.results.length;
  at("numbers").hidden = isEmpty;
  if (isEmpty && next.filters.length && traffic.length) {
    return sayNothingMatches(at("notice"), () => choose({ filters: [] }));
  }
  if (isEmpty) {
    const { first, last } = data;
    return sayDataElsewhere(at("notice"), site, range, data, () => choose({ choice: "custom", from: first, to: last }));
  }
  sayNothing(at("notice"));
  drawNumbers(next, numbers.results[0].metrics, numbersBefore?.results[0]?.metrics ?? null);
  drawSeries(next, values.results, valuesBefore?.results);
  drawFootnote(next, traffic);
}

function drawNumbers(next, numbers, before) {
  const days = daysBetween(next.range.first, next.range.last);
  drawHeadline(
    at("headline"),
    {
      metrics: metricsOf(next.filters),
      numbers,
      before,
      beforeSpan: next.before && spanText(next.before.first, next.before.last),
      isUnfinishedDay: days === 1 && next.range.last === next.today,
      chosen: next.metric,
      days,
    },
    (name) => choose({ metric: name }),
  );
}

function drawSeries(next, results, resultsBefore) {
  const { range, before, unit, clock } = next;
  const metric = metricsOf(next.filters)[next.metric];
  const none = metric.isCount || metric.isRate ? 0 : null;
  const unfinished = spanOf(clock, unit);
  const spans = spansOf(range, unit);
  const beforeSpans = before && spans.map((_, index) => spansOf(before, unit)[index] ?? null);
  const compared = before ? `, compared with ${spanText(before.first, before.last)} (dotted)` : "";
  at("chart-caption").textContent = `${metric.label} by ${unit}, ${spanText(range.first, range.last)}${compared}`;
  const valuesOf = (known, of) => {
    const bySpan = new Map(known.map(({ dimensions: [span], metrics: [value] }) => [span, value]));
    return of.map((span) => (span === null || span > unfinished ? null : (bySpan.get(span) ?? none)));
  };
  const picture = {
    spans,
    values: valuesOf(results, spans),
    before: before && valuesOf(resultsBefore, beforeSpans),
    beforeSpans,
    unfinished,
    metric,
    unit,
  };
  drawChart(at("chart"), picture, (span) => {
    const { first, last } = daysOf(span, unit, range);
    if (first !== range.first || last !== range.last) choose({ choice: "custom", from: first, to: last, unit: null });
  });
}

function drawFootnote({ range, filters, site }, traffic) {
  const sum = (column) => traffic.reduce((total, row) => total + row[column], 0);
  const bots = sum("bot_visitors");
  const ofBots = bots
    ? `Left out as bots: ${count(bots)} visitors with ${count(sum("bot_pageviews"))} page views. `
    : "No bots in this range. ";
  const ofDays = range.first === range.last ? "" : DAILY_SUM;
  at("footnote").textContent = filters.length ? ofDays : ofBots + ofDays;
  redraw(at("traffic-files"), ...(filters.length ? [] : fileLinks("traffic", "Traffic", { site, range })));
}

async function ranked(next, tab, rows) {
  if (tab.report === "actions" && !next.filters.length && reports.has("actions")) {
    return (await actionsReport(next, rows + 1)).results;
  }
  const { results } = await next.ask(query.ranked(next, tab, rows));
  return tab.isKnownOnly ? results.filter(({ dimensions: [value] }) => value) : results;
}

async function fill(made, next, isCurrent) {
  const { tab: chosen, rows } = made;
  let { property } = made;
  const isWanted = () => isCurrent() && made.tab === chosen && made.property === property;
  try {
    let tab = tabWith(chosen, next.filters);
    if (made.choice) {
      const { results } = await next.ask(query.propertyNames(next));
      if (!isWanted()) return;
      made.names = results.map(({ dimensions: [name] }) => name);
      const name = properties.drawChoice(made.choice, made.names, property);
      if (name === null) return drawBox(made, tab, [], next, reports);
      if (property === undefined) property = made.property = name;
      tab = properties.tabOf(tab, name);
    }
    const results = await ranked(next, tab, rows);
    if (isWanted()) drawBox(made, tab, results, next, reports);
  } catch (error) {
    if (!(error instanceof api.ApiError)) throw error;
    if (isWanted()) drawTrouble(made, error);
  }
}

function drawFreshness() {
  at("freshness").textContent = refreshedAt ? `Refreshed ${ago(Date.now() - refreshedAt)}` : "";
  at("freshness").title = refreshedAt
    ? `The reports were last rebuilt on ${new Date(refreshedAt).toLocaleString("en-GB")}, and are when new events come.`
    : "";
}

const boxes = BOXES.map((box) =>
  makeBox(box, {
    onChange: (made) => shown && fill(made, shown, () => true),
    onFilter(dimension, value) {
      choose({ filters: added(view.filters, ["is", dimension, [value]]) });
      at("said").textContent = `Filtered by ${titleOf(dimension)} ${wordsOf(dimension, value)}`;
    },
    async onFile(made) {
      const { site, range } = shown;
      const results = await ranked(shown, made.drawn, MOST_ROWS - 1);
      const name = nameOf(made).toLowerCase().replace(/\W+/g, "_");
      save(`${name}_${site}_${range.first}_${range.last}.csv`, csvOf(made.drawn, results));
    },
  }),
);

addEventListener("popstate", () => {
  view = address.read(METRIC_NAMES);
  drawChips(view.filters);
  refresh();
});

document.addEventListener("visibilitychange", () => {
  if (document.hidden) clearTimeout(timer);
  else refresh();
});

at("boxes").append(...boxes.map(({ frame }) => frame));
at("links").hidden = !mayWatch;
const follow = followRealtime(at("now"), at("realtime"));
listenToControls(() => shown, choose);
listenToFilters(
  () => view.filters,
  (filters) => choose({ filters }),
  async (dimension) => {
    const { results } = await shown.ask(query.values(shown, dimension));
    return results.map(({ dimensions: [value] }) => value);
  },
  () => boxes.flatMap(({ names = [] }) => names),
);
listenToCopy(at("snippet"));
listenToKeys(at("chart"), at("chart-said"));
followSizeAndTheme(at("chart"));
drawChips(view.filters);
setInterval(drawFreshness, 5_000);
refresh();
