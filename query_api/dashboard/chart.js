// The chart of one metric by hour, day, week or month, with the range it is compared with behind it.

import uPlot from "./vendor/uplot/uPlot.esm.js";
import { element, redraw } from "./elements.js";
import { briefSpan, longSpan, unixSeconds } from "./spans.js";

const HEIGHT = 260;

let drawn = null;

// spans: texts; values and before: a number or null per span, `before` null where nothing is compared.
// unfinished: the span that is not over, on the chart or not. onPick(span): a point was chosen.
export function drawChart(parent, picture, onPick) {
  const signature = JSON.stringify(picture);
  if (drawn?.signature === signature) return;
  drawn?.chart.destroy();
  parent.querySelector(".skeleton")?.remove();
  const { spans, values, before, unfinished } = picture;
  const tip = element("div", { class: "tip", hidden: true });
  const isOpen = (index) => spans[index] === unfinished;
  const data = [
    spans.map(unixSeconds),
    before ?? spans.map(() => null),
    values.map((value, index) => (isOpen(index) ? null : value)),
    values.map((value, index) => (isOpen(index) || isOpen(index + 1) ? value : null)),
  ];
  const chart = new uPlot(options(parent, picture, tip), data, parent);
  chart.over.append(tip);
  drawn = { signature, chart, onPick, spans, again: () => drawChart(parent, picture, onPick) };
  parent.setAttribute("aria-label", summary(picture));
}

function redrawAnew() {
  if (!drawn) return;
  const { again } = drawn;
  drawn.signature = null;
  again();
}

function options(parent, picture, tip) {
  const { spans, metric, unit } = picture;
  const style = getComputedStyle(document.documentElement);
  const color = (name) => style.getPropertyValue(`--${name}`).trim();
  const font = `12px ${style.getPropertyValue("--font")}`;
  const axis = { stroke: color("muted"), font, ticks: { show: false } };
  const line = { stroke: color("accent"), width: 2, spanGaps: false };
  const isSparse = spans.length <= 31;
  const isOneDay = spans[0].slice(0, 10) === spans.at(-1).slice(0, 10);
  // Hours of several days are marked by where each day begins.
  const marks = unit === "hour" && !isOneDay ? spans.filter((span) => span.endsWith(" 00:00:00")) : spans;
  return {
    width: parent.clientWidth,
    height: HEIGHT,
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "UTC"),
    legend: { show: false },
    padding: [12, 28, 0, 0],
    cursor: {
      y: false,
      drag: { setScale: false, x: false, y: false },
      points: { size: 8, width: 0, fill: color("accent") },
      move: (chart, left, top) => [left < 0 ? left : chart.valToPos(chart.data[0][chart.posToIdx(left)], "x"), top],
    },
    scales: { x: { time: true }, y: { range: (_, __, max) => [0, niceTop(max, metric)] } },
    axes: [
      {
        ...axis,
        grid: { show: false },
        splits: () => labelled(marks, parent.clientWidth).map(unixSeconds),
        values: (_, splits) => splits.map((seconds) => briefSpan(spanAt(spans, seconds), unit, isOneDay)),
        size: 30,
        gap: 8,
      },
      {
        ...axis,
        grid: { stroke: color("grid"), width: 1 },
        values: (_, splits) => splits.map((value) => metric.read(value)),
        splits: (_, __, ___, top) => [0, top / 4, top / 2, (top * 3) / 4, top],
        size: 56,
        gap: 8,
      },
    ],
    series: [
      {},
      { label: "before", stroke: color("before"), width: 2, dash: [2, 5], points: { show: false } },
      {
        label: metric.label,
        ...line,
        points: { show: isSparse, size: 6, fill: color("accent") },
        fill: (chart) => gradient(chart, color("fill"), color("fill-end")),
      },
      {
        label: `${metric.label}, not over yet`,
        ...line,
        dash: [6, 5],
        points: { show: isSparse, size: 6, fill: color("card") },
        fill: (chart) => gradient(chart, color("fill"), color("fill-end")),
      },
    ],
    hooks: {
      setCursor: [
        (chart) => {
          const { idx, left } = chart.cursor;
          tip.hidden = idx === null || idx === undefined || left < 0;
          if (tip.hidden) return;
          redraw(tip, ...tipOf(idx, picture));
          const x = chart.valToPos(chart.data[0][idx], "x");
          const room = chart.over.clientWidth - tip.offsetWidth;
          tip.style.transform = `translate(${Math.max(0, Math.min(room, x - tip.offsetWidth / 2))}px, 0)`;
        },
      ],
    },
  };
}

// The top of the y axis: a round number that four steps divide well.
function niceTop(max, metric) {
  if (!max) return metric.isShare ? 100 : 4;
  if (metric.isShare) return Math.min(100, Math.ceil(max / 20) * 20);
  if (metric.steps) return 4 * (metric.steps.find((step) => step * 4 >= max) ?? Math.ceil(max / 4 / 3600) * 3600);
  const power = 10 ** Math.floor(Math.log10(max));
  const top = [1, 1.2, 1.6, 2, 2.4, 3.2, 4, 4.8, 6, 8, 10].find((factor) => factor * power >= max) * power;
  return metric.isCount ? Math.ceil(top / 4) * 4 : top;
}

function gradient(chart, from, to) {
  const { top, height } = chart.bbox;
  const made = chart.ctx.createLinearGradient(0, top, 0, top + height);
  made.addColorStop(0, from);
  made.addColorStop(1, to);
  return made;
}

// The spans that get a label on the x axis: evenly spread, as many as there is room for.
function labelled(spans, width) {
  const most = Math.max(2, Math.floor(width / 90));
  const step = Math.ceil(spans.length / most);
  return spans.filter((_, index) => (spans.length - 1 - index) % step === 0);
}

const spanAt = (spans, seconds) => spans.find((span) => unixSeconds(span) === seconds);

function tipOf(index, { spans, values, before, beforeSpans, metric, unit }) {
  const lines = [
    element("strong", {}, longSpan(spans[index], unit)),
    element("span", {}, metric.exact(values[index]), " ", metric.label.toLowerCase()),
  ];
  if (before && before[index] !== null) {
    const words = `${metric.exact(before[index])} on ${longSpan(beforeSpans[index], unit)}`;
    lines.push(element("span", { class: "tip-before" }, unit === "day" || unit === "hour" ? words : words.replace(" on ", " in ")));
  }
  return lines;
}

function summary({ spans, values, metric, unit }) {
  const known = values.filter((value) => value !== null);
  if (!known.length) return `${metric.label} by ${unit}: nothing`;
  const most = Math.max(...known);
  const peak = longSpan(spans[values.indexOf(most)], unit);
  const ends = `${longSpan(spans[0], unit)} to ${longSpan(spans.at(-1), unit)}`;
  return (
    `${metric.label} by ${unit}, ${ends}; most: ${metric.exact(most)}, ${peak}. ` +
    `Use the arrow keys to read each ${unit}, and Enter to look into it.`
  );
}

// Arrow keys move from span to span, which is said aloud; Enter or a click chooses it.
export function listenToKeys(parent, said) {
  const pick = () => {
    const index = drawn?.chart.cursor.idx;
    if (index !== null && index !== undefined) drawn.onPick(drawn.spans[index]);
  };
  parent.addEventListener("click", pick);
  parent.addEventListener("keydown", (event) => {
    if (event.key === "Enter") return pick();
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step || !drawn) return;
    event.preventDefault();
    const { chart } = drawn;
    const last = chart.data[0].length - 1;
    const index = Math.max(0, Math.min(last, (chart.cursor.idx ?? (step > 0 ? -1 : last + 1)) + step));
    chart.setCursor({ left: chart.valToPos(chart.data[0][index], "x"), top: 0 });
    said.textContent = chart.over.querySelector(".tip").innerText.replaceAll("\n", ", ");
  });
  parent.addEventListener("blur", () => drawn?.chart.setCursor({ left: -10, top: -10 }));
}

export function followSizeAndTheme(parent) {
  new ResizeObserver(() => {
    if (drawn && parent.clientWidth !== drawn.chart.width) redrawAnew();
  }).observe(parent);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawAnew);
}
