// The dashboard: reads its address, asks the API, draws; again every half minute and whenever something is chosen.

import * as address from "./address.js";
import * as api from "./api.js";
import { BOXES, drawBox, fetchBox, fileLinks, makeBox, showMore } from "./boxes.js";
import { drawChart, followSizeAndTheme, listenToKeys } from "./chart.js";
import { addDays, daysBetween, everyDay, isDay, longDay, spanText, today as todayIn } from "./days.js";
import { element, redraw } from "./elements.js";
import { DAILY_SUM, drawHeadline } from "./headline.js";
import { METRICS, METRIC_NAMES } from "./metrics.js";
import { sayDataElsewhere, sayNoSite, sayNothing, sayTrouble, sayWaiting } from "./notices.js";
import { ago, count } from "./numbers.js";
import { rangeOf, shifted } from "./ranges.js";

const REFRESH = 30_000; // ms
const REFRESH_WAITING = 5_000; // ms

const at = (id) => document.getElementById(id);
const boxes = BOXES.map((box) => {
  const made = makeBox(box, () => {
    showMore(made);
    refresh();
  });
  return made;
});

let view = address.read(METRIC_NAMES);
let shown = null; // { site, range } of the numbers on the page
let refreshedAt = null; // ms
let lastGood = null;
let timer = 0;
let turn = 0;

function choose(changes) {
  view = { ...view, ...changes };
  address.write(view, METRIC_NAMES);
  refresh();
}

async function refresh() {
  clearTimeout(timer);
  const mine = ++turn;
  let pause = REFRESH;
  try {
    const answer = await ask();
    if (mine !== turn) return;
    draw(answer);
    lastGood = new Date();
    at("trouble").hidden = true;
    pause = answer.site && !answer.data ? REFRESH_WAITING : REFRESH;
  } catch (error) {
    if (mine !== turn) return;
    sayTrouble(at("trouble"), error, lastGood);
    if (!(error instanceof api.ApiError)) console.error(error);
  }
  at("numbers").setAttribute("aria-busy", "false");
  timer = setTimeout(refresh, pause);
}

async function ask() {
  const [sites, reports] = await Promise.all([api.sites(), api.reports()]);
  const site = sites.find(({ domain }) => domain === view.site) ?? sites[0];
  if (!site) return { sites, reports };
  const spanAsked = dataSpan(site.domain);
  const span = view.choice === "all" ? await spanAsked : null;
  const today = todayIn(site.time_zone);
  const range = rangeOf(view.choice, { today, data: span, from: view.from, to: view.to });
  const before = view.choice === "all" ? null : shifted(range, -1);
  const asked = { site: site.domain, from: range.first, to: range.last };
  const [data, traffic, ...ranked] = await Promise.all([
    spanAsked,
    api.everyRow("traffic", { ...asked, from: earliest(before?.first, chartSpan(range).first) }),
    ...boxes.map(({ box, rows }) => fetchBox(box, asked, rows)),
  ]);
  return { sites, reports, site, today, data, range, before, asked, traffic, ranked };
}

const earliest = (...days) => days.filter(Boolean).sort()[0];

// The days on the chart: those of the range, and for a single day the week up to it.
const chartSpan = ({ first, last }) => ({ first: first === last ? addDays(last, -6) : first, last });

// The first and last day a site has data of.
async function dataSpan(site) {
  const ends = { site, from: "0001-01-01", to: "9999-12-31", limit: 1 };
  const [first, last] = await Promise.all(
    ["date", "-date"].map((order) => api.report("traffic", { ...ends, order })),
  );
  return first.rows.length ? { first: first.rows[0].date, last: last.rows[0].date } : null;
}

function draw(answer) {
  drawTop(answer);
  const { site, data, range } = answer;
  at("snippet").hidden = !site;
  if (site && at("snippet-code").textContent !== site.snippet) at("snippet-code").textContent = site.snippet;
  const rows = site ? within(answer.traffic, range) : [];
  at("numbers").hidden = !rows.length;
  if (!site) return sayNoSite(at("notice"));
  if (!data) return sayWaiting(at("notice"), site.domain);
  if (!rows.length) {
    return sayDataElsewhere(at("notice"), site.domain, range, data, () =>
      choose({ choice: "custom", from: data.first, to: data.last }),
    );
  }
  sayNothing(at("notice"));
  drawNumbers(answer, rows);
}

const within = (rows, { first, last }) => rows.filter(({ date }) => date >= first && date <= last);

function drawTop({ sites, reports, site, range, today }) {
  redraw(
    at("site"),
    ...sites.map(({ domain }) => element("option", { value: domain, selected: domain === site?.domain }, domain)),
  );
  at("site").value = site?.domain ?? "";
  document.title = site ? `${site.domain} · Logektor` : "Logektor";
  const traffic = reports.find(({ name }) => name === "traffic");
  refreshedAt = traffic ? Date.parse(traffic.refreshed_at) : null;
  drawFreshness();
  if (!site) return;
  document.querySelector(`#range [value="${view.choice}"]`).checked = true;
  at("dates").hidden = view.choice !== "custom";
  for (const [id, day] of [["from", range.first], ["to", range.last]]) {
    if (document.activeElement !== at(id)) at(id).value = day;
    at(id).max = today;
  }
  at("earlier").disabled = view.choice === "all";
  at("later").disabled = view.choice === "all" || range.last >= today;
  shown = { site: site.domain, range };
}

function drawFreshness() {
  at("freshness").textContent = refreshedAt ? `refreshed ${ago(Date.now() - refreshedAt)}` : "";
  at("freshness").title = refreshedAt
    ? `The reports were last rebuilt on ${new Date(refreshedAt).toLocaleString("en-GB")}, and are when new events come.`
    : "";
}

function drawNumbers({ range, before, asked, traffic, today, ranked }, rows) {
  const metric = METRICS[view.metric];
  const days = daysBetween(range.first, range.last);
  drawHeadline(
    at("headline"),
    {
      rows,
      before: before && within(traffic, before),
      beforeSpan: before && spanText(before.first, before.last),
      isUnfinishedDay: days === 1 && range.last === today,
      chosen: view.metric,
      days,
    },
    (name) => choose({ metric: name }),
  );
  const span = chartSpan(range);
  const isCompared = before && span.first === range.first;
  const beforeDays = isCompared ? everyDay(before.first, before.last) : null;
  const byDate = Map.groupBy(traffic, ({ date }) => date);
  const valueOn = (day) => (day > today ? null : metric.of(byDate.get(day) ?? []));
  const chartDays = everyDay(span.first, span.last);
  at("chart-caption").textContent = captionOf(metric, range, span, isCompared && before);
  drawChart(at("chart"), {
    days: chartDays,
    values: chartDays.map(valueOn),
    before: beforeDays?.map(valueOn),
    beforeDays,
    unfinished: today,
    metric,
  });
  drawFootnote(rows, days);
  redraw(at("traffic-files"), ...fileLinks("traffic", "Traffic", asked));
  boxes.forEach((made, index) => drawBox(made, ranked[index], asked));
}

function captionOf(metric, range, span, before) {
  if (span.first !== range.first) return `${metric.label} in the week up to ${longDay(range.last)}`;
  const compared = before ? `, compared with ${spanText(before.first, before.last)} (dotted)` : "";
  return `${metric.label} by day, ${spanText(range.first, range.last)}${compared}`;
}

function drawFootnote(rows, days) {
  const sum = (column) => rows.reduce((total, row) => total + row[column], 0);
  const bots = sum("bot_visitors");
  const words = bots
    ? `Left out as bots: ${count(bots)} visitors with ${count(sum("bot_pageviews"))} page views. `
    : "No bots in this range. ";
  at("footnote").textContent = days > 1 ? words + DAILY_SUM : words;
}

at("site").addEventListener("change", (event) => choose({ site: event.target.value }));

at("range").addEventListener("change", (event) => {
  if (event.target.name === "range") {
    const { value } = event.target;
    if (value !== "custom") return choose({ choice: value, from: null, to: null });
    const { first, last } = shown?.range ?? {};
    return first && choose({ choice: value, from: first, to: last });
  }
  const [from, to] = [at("from").value, at("to").value];
  if (!isDay(from) || !isDay(to)) return;
  const [first, last] = [from, to].sort();
  choose({ choice: "custom", from: first, to: last });
});

at("range").addEventListener("submit", (event) => event.preventDefault());

for (const [id, steps] of [["earlier", -1], ["later", 1]]) {
  at(id).addEventListener("click", () => {
    if (!shown) return;
    const { first, last } = shifted(shown.range, steps);
    choose({ choice: "custom", from: first, to: last });
  });
}

at("copy").addEventListener("click", async () => {
  await navigator.clipboard.writeText(at("snippet-code").textContent);
  at("copy").textContent = "Copied";
  setTimeout(() => (at("copy").textContent = "Copy"), 2_000);
});

addEventListener("popstate", () => {
  view = address.read(METRIC_NAMES);
  refresh();
});

document.addEventListener("visibilitychange", () => {
  if (document.hidden) clearTimeout(timer);
  else refresh();
});

at("boxes").append(...boxes.map(({ frame }) => frame));
listenToKeys(at("chart"), at("chart-said"));
followSizeAndTheme(at("chart"));
setInterval(drawFreshness, 5_000);
refresh();
