// A box of ranked rows: its tabs, its rows, each of which filters the page, and its files.

import * as api from "./api.js";
import { titleOf, wordsOf } from "./dimensions.js";
import { element, redraw, unseen } from "./elements.js";
import { isFilteredBy, isOfGoal } from "./filters.js";
import { COLUMNS } from "./metrics.js";
import { makeChoice } from "./properties.js";
import { makeTabs } from "./tabs.js";

const FIRST_ROWS = 10;
const MORE_ROWS = 40;

// onChange: another tab or more rows are wanted; onFilter(dimension, value): a row was chosen; onFile: a CSV is wanted.
export function makeBox(box, { onChange, onFilter, onFile }) {
  // tab: the chosen one; drawn: that with its metrics, and its property.
  const made = { box, tab: box.tabs[0], drawn: box.tabs[0], rows: FIRST_ROWS };
  const table = element("table", { "aria-labelledby": `${box.name}-title` });
  const panel = element("div", { class: box.isShort ? "panel short" : "panel", id: `${box.name}-panel`, "aria-busy": "true" }, table);
  const more = element("button", { type: "button", class: "more", hidden: true }, "Show more");
  const files = element("p", { class: "files" });
  const title = element("h2", { id: `${box.name}-title` }, box.title);
  const head = element("div", { class: "box-head" }, title);
  if (box.tabs.length > 1) {
    const titles = box.tabs.map((tab) => tab.title);
    head.append(makeTabs(box.name, titles, box.title, (index) => {
      Object.assign(made, { tab: box.tabs[index], rows: FIRST_ROWS });
      panel.setAttribute("aria-labelledby", `${box.name}-tab-${index}`);
      panel.setAttribute("aria-busy", "true");
      onChange(made);
    }));
    panel.setAttribute("role", "tabpanel");
    panel.setAttribute("aria-labelledby", `${box.name}-tab-0`);
  }
  if (box.isOfProperties) {
    made.choice = makeChoice((property) => {
      Object.assign(made, { property, rows: FIRST_ROWS });
      panel.setAttribute("aria-busy", "true");
      onChange(made);
    });
    head.append(made.choice);
  }
  more.addEventListener("click", () => {
    made.rows += MORE_ROWS;
    onChange(made);
  });
  table.addEventListener("click", ({ target }) => {
    const row = target.closest("button[data-value]");
    if (row) onFilter(made.drawn.dimension, JSON.parse(row.dataset.value));
  });
  files.addEventListener("click", ({ target }) => target.closest("button") && onFile(made));
  const frame = element("section", { class: "card box", "data-box": box.name, "aria-labelledby": `${box.name}-title` });
  frame.append(head, panel, element("div", { class: "box-foot" }, more, files));
  redraw(table, headOf(made.tab), skeleton(made.tab));
  return Object.assign(made, { frame, panel, table, more, files });
}

export function drawBox(made, tab, results, shown, reports) {
  const { box, table, more, files, panel } = made;
  made.drawn = tab;
  redraw(table, headOf(tab, shown.filters), bodyOf(box, tab, results.slice(0, made.rows), shown.filters));
  more.hidden = results.length <= made.rows;
  const hasReport = !shown.filters.length && reports.has(tab.report);
  redraw(files, ...(hasReport ? fileLinks(tab.report, nameOf(made), shown) : [fileButton(made)]));
  panel.setAttribute("aria-busy", "false");
}

export function drawTrouble(made, error) {
  const columns = 1 + made.drawn.metrics.length;
  redraw(made.table, headOf(made.drawn), element("tbody", {}, words(columns, error.message)));
  made.more.hidden = true;
  made.panel.setAttribute("aria-busy", "false");
}

export const nameOf = ({ box, drawn }) =>
  box.tabs.length > 1 || box.isOfProperties ? `${box.title}, ${drawn.title.toLowerCase()}` : box.title;

export function fileLinks(report, title, { site, range }) {
  const asked = { site, from: range.first, to: range.last };
  return [
    unseen(`${title} by day, as a file: `),
    element("a", { href: api.fileAddress(report, "csv", asked), download: true }, "CSV"),
    " ",
    element("a", { href: api.fileAddress(report, "parquet", asked), download: true }, "Parquet"),
  ];
}

const fileButton = (made) => element("button", { type: "button", class: "link" }, unseen(`${nameOf(made)} as `), "CSV");

function headOf({ dimension, metrics }, filters = []) {
  const titles = metrics.map((name) => (name === "visitors" && isOfGoal(filters) ? "Conversions" : COLUMNS[name].title));
  return element(
    "thead",
    {},
    element(
      "tr",
      {},
      element("th", { scope: "col" }, titleOf(dimension)),
      ...titles.map((title) => element("th", { scope: "col", class: "number" }, title)),
    ),
  );
}

function bodyOf(box, tab, results, filters) {
  if (!results.length) return element("tbody", {}, words(1 + tab.metrics.length, box.empty));
  const most = Math.max(...results.map(({ metrics }) => metrics[0])) || 1;
  return element("tbody", {}, ...results.map((result) => lineOf(tab, result, result.metrics[0] / most, filters)));
}

const words = (columns, text) => element("tr", { class: "empty" }, element("td", { colspan: columns }, text));

function lineOf({ dimension, metrics }, { dimensions: [value], metrics: numbers, words: said }, share, filters) {
  const text = said ?? wordsOf(dimension, value);
  const attributes = {
    type: "button",
    class: "row",
    title: text,
    "data-value": JSON.stringify(value),
    "aria-pressed": String(isFilteredBy(filters, dimension, value)),
  };
  const line = element(
    "tr",
    {},
    element("th", { scope: "row", class: "label" }, element("button", attributes, text)),
    ...metrics.map((name, index) =>
      element("td", { class: index === 0 ? "number first" : "number" }, COLUMNS[name].read(numbers[index])),
    ),
  );
  line.style.setProperty("--share", `${(share * 100).toFixed(1)}%`);
  return line;
}

// Grey lines where the rows will be.
function skeleton({ metrics }) {
  const line = () => element("tr", { class: "skeleton" }, element("td", { colspan: 1 + metrics.length }));
  return element("tbody", { "aria-hidden": "true" }, ...Array.from({ length: FIRST_ROWS }, line));
}
