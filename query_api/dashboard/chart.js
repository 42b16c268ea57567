// The chart of one metric by day, with the period before behind it.

import uPlot from "./vendor/uplot/uPlot.esm.js";
import { dayOf, longDay, shortDay, unixSeconds, weekdayOf } from "./days.js";
import { element, redraw } from "./elements.js";

const HEIGHT = 260;

let drawn = null;

// days: texts; values and before: a number or null per day, `before` null where nothing is compared.
// unfinished: the day that is not over, on the chart or not.
export function drawChart(parent, picture) {
  const signature = JSON.stringify(picture);
  if (drawn?.signature === signature) return;
  drawn?.chart.destroy();
  const { days, values, before, unfinished, metric } = picture;
  const tip = element("div", { class: "tip", hidden: true });
  const isOpen = (index) => days[index] === unfinished;
  const data = [
    days.map(unixSeconds),
    before ?? days.map(() => null),
    values.map((value, index) => (isOpen(index) ? null : value)),
    values.map((value, index) => (isOpen(index) || isOpen(index + 1) ? value : null)),
  ];
  const chart = new uPlot(options(parent, metric, days, tip, (index) => tipOf(index, picture)), data, parent);
  chart.over.append(tip);
  drawn = { signature, chart, again: () => drawChart(parent, picture) };
  parent.setAttribute("aria-label", summary(days, values, metric));
}

function redrawAnew() {
  if (!drawn) return;
  const { again } = drawn;
  drawn.signature = null;
  again();
}

function options(parent, metric, days, tip, tipAt) {
  const style = getComputedStyle(document.documentElement);
  const color = (name) => style.getPropertyValue(`--${name}`).trim();
  const font = `12px ${style.getPropertyValue("--font")}`;
  const axis = { stroke: color("muted"), font, ticks: { show: false } };
  const line = { stroke: color("accent"), width: 2, spanGaps: false };
  const fewDays = days.length <= 31;
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
        splits: () => labelled(days, parent.clientWidth).map(unixSeconds),
        values: (_, splits) => splits.map((seconds) => shortDay(dayOf(seconds))),
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
        points: { show: fewDays, size: 6, fill: color("accent") },
        fill: (chart) => gradient(chart, color("fill"), color("fill-end")),
      },
      {
        label: `${metric.label}, the day is not over`,
        ...line,
        dash: [6, 5],
        points: { show: fewDays, size: 6, fill: color("card") },
        fill: (chart) => gradient(chart, color("fill"), color("fill-end")),
      },
    ],
    hooks: {
      setCursor: [
        (chart) => {
          const { idx, left } = chart.cursor;
          tip.hidden = idx === null || idx === undefined || left < 0;
          if (tip.hidden) return;
          redraw(tip, ...tipAt(idx));
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
  if (!max) return metric.isShare ? 1 : 4;
  if (metric.isShare) return Math.min(1, Math.ceil(max * 5) / 5);
  if (metric.steps) return 4 * (metric.steps.find((step) => step * 4 >= max) ?? Math.ceil(max / 4 / 3600) * 3600);
  const power = 10 ** Math.floor(Math.log10(max));
  const top = [1, 1.2, 1.6, 2, 2.4, 3, 4, 5, 6, 8, 10].find((factor) => factor * power >= max) * power;
  return metric.isCount ? Math.ceil(top / 4) * 4 : top;
}

function gradient(chart, from, to) {
  const { top, height } = chart.bbox;
  const made = chart.ctx.createLinearGradient(0, top, 0, top + height);
  made.addColorStop(0, from);
  made.addColorStop(1, to);
  return made;
}

// The days that get a label on the x axis: evenly spread, as many as there is room for.
function labelled(days, width) {
  const most = Math.max(2, Math.floor(width / 90));
  const step = Math.ceil(days.length / most);
  return days.filter((_, index) => (days.length - 1 - index) % step === 0);
}

function tipOf(index, { days, values, before, beforeDays, metric }) {
  const lines = [
    element("strong", {}, `${weekdayOf(days[index])}, ${longDay(days[index])}`),
    element("span", {}, metric.exact(values[index]), " ", metric.label.toLowerCase()),
  ];
  if (before && before[index] !== null) {
    const words = `${metric.exact(before[index])} on ${longDay(beforeDays[index])}`;
    lines.push(element("span", { class: "tip-before" }, words));
  }
  return lines;
}

function summary(days, values, metric) {
  const known = values.filter((value) => value !== null);
  if (!known.length) return `${metric.label} by day: nothing`;
  const most = Math.max(...known);
  const peak = days[values.indexOf(most)];
  const span = `${longDay(days[0])} to ${longDay(days.at(-1))}`;
  const highest = `most: ${metric.exact(most)} on ${longDay(peak)}`;
  return `${metric.label} by day, ${span}; ${highest}. Use the arrow keys to read each day.`;
}

// Arrow keys move from day to day; the day is said aloud.
export function listenToKeys(parent, said) {
  parent.addEventListener("keydown", (event) => {
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
