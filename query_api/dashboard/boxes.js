// The ranked tables: pages, sources, actions.

import * as api from "./api.js";
import { element, redraw, unseen } from "./elements.js";
import { NONE, count } from "./numbers.js";

const FIRST_ROWS = 10;
const MORE_ROWS = 40;

// labels: the columns that name a row; values: the columns of numbers, the first one ranks and draws the bars.
export const BOXES = [
  {
    report: "pages",
    title: "Top pages",
    labels: [{ column: "path", title: "Page" }],
    values: [
      { column: "visitors", title: "Visitors" },
      { column: "pageviews", title: "Views" },
    ],
    empty: "No page was viewed in this range.",
  },
  {
    report: "sources",
    title: "Sources",
    labels: [
      { column: "source", title: "Source" },
      { column: "channel", title: "Channel", quiet: true },
    ],
    values: [
      { column: "visitors", title: "Visitors" },
      { column: "visits", title: "Visits" },
    ],
    empty: "No visit began in this range.",
  },
  {
    report: "actions",
    title: "Actions: who did what to what",
    labels: [
      { column: "object_type", title: "Who" },
      { column: "action", title: "Did" },
      { column: "subject_type", title: "To what" },
    ],
    values: [
      { column: "events", title: "Events" },
      { column: "visitors", title: "Visitors" },
    ],
    empty: "Nothing happened in this range.",
    wide: true,
  },
];

const parametersOf = (box, range, limit) => ({ ...range, per: "range", order: `-${box.values[0].column}`, limit });

export const fetchBox = (box, range, rows) => api.report(box.report, parametersOf(box, range, rows));

export function makeBox(box, onMore) {
  const title = element("h2", { id: `${box.report}-title` }, box.title);
  const table = element("table", { "aria-labelledby": `${box.report}-title` });
  const files = element("p", { class: "files" });
  const more = element("button", { type: "button", class: "more", hidden: true, onclick: onMore }, "Show more");
  const foot = element("div", { class: "box-foot" }, more, files);
  const frame = element("section", { class: box.wide ? "card box wide" : "card box", "data-report": box.report });
  frame.append(title, table, foot);
  return { box, frame, table, files, more, rows: FIRST_ROWS };
}

export const showMore = (made) => {
  made.rows += MORE_ROWS;
};

export function drawBox(made, answer, range) {
  const { box, table, files, more } = made;
  redraw(table, head(box), body(box, answer.rows));
  for (const row of table.tBodies[0].rows) row.style.setProperty("--share", row.dataset.share);
  more.hidden = answer.next === null;
  redraw(files, ...fileLinks(box.report, box.title, range));
}

export function fileLinks(report, title, range) {
  return [
    unseen(`${title} by day, as a file: `),
    element("a", { href: api.fileAddress(report, "csv", range), download: true }, "CSV"),
    " ",
    element("a", { href: api.fileAddress(report, "parquet", range), download: true }, "Parquet"),
  ];
}

function head(box) {
  return element(
    "thead",
    {},
    element(
      "tr",
      {},
      ...box.labels.map((label) => element("th", { scope: "col", class: label.quiet ? "quiet" : null }, label.title)),
      ...box.values.map((value, index) =>
        element("th", { scope: "col", class: index === 0 ? "number first" : "number" }, value.title),
      ),
    ),
  );
}

function body(box, rows) {
  if (!rows.length) {
    const columns = box.labels.length + box.values.length;
    return element("tbody", {}, element("tr", { class: "empty" }, element("td", { colspan: columns }, box.empty)));
  }
  const most = Math.max(...rows.map((row) => row[box.values[0].column])) || 1;
  return element("tbody", {}, ...rows.map((row) => line(box, row, row[box.values[0].column] / most)));
}

function line(box, row, share) {
  return element(
    "tr",
    { "data-share": `${(share * 100).toFixed(1)}%` },
    ...box.labels.map((label, index) => {
      const words = row[label.column] || NONE;
      const attributes = { class: label.quiet ? "label quiet" : "label", title: words };
      return element(index === 0 ? "th" : "td", index === 0 ? { ...attributes, scope: "row" } : attributes, words);
    }),
    ...box.values.map((value, index) =>
      element("td", { class: index === 0 ? "number first" : "number" }, count(row[value.column])),
    ),
  );
}
