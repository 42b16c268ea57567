// The funnels that a site declares: how many people came as far as each step.

import * as api from "./api.js";
import { element, redraw } from "./elements.js";
import { count, percent } from "./numbers.js";

export async function drawFunnels(parent, { site, range, filters }, reports, isCurrent) {
  const isShown = reports.has("funnels") && !filters.length;
  const rows = isShown ? await api.everyRow("funnels", { site, from: range.first, to: range.last }) : [];
  if (!isCurrent()) return;
  parent.hidden = !rows.length;
  if (!rows.length) return;
  const funnels = Map.groupBy(rows, ({ funnel }) => funnel);
  redraw(
    parent,
    element("h2", { id: "funnels-title" }, "Funnels"),
    element("div", { class: "funnels" }, ...[...funnels].map(([name, of]) => funnelOf(name, of))),
  );
}

function funnelOf(name, rows) {
  const steps = [...Map.groupBy(rows, ({ step }) => step)].sort(([one], [other]) => one - other);
  const people = steps.map(([, of]) => of.reduce((sum, row) => sum + row.people, 0));
  const line = ([, [{ goal }]], index) => {
    const made = element(
      "tr",
      {},
      element("th", { scope: "row", class: "label" }, goal),
      element("td", { class: "number first" }, count(people[index])),
      element("td", { class: "number" }, percent(people[0] ? (100 * people[index]) / people[0] : null)),
    );
    made.style.setProperty("--share", `${people[0] ? (100 * people[index]) / people[0] : 0}%`);
    return made;
  };
  const heads = ["People", "Of the first"].map((words) => element("th", { scope: "col", class: "number" }, words));
  return element(
    "table",
    {},
    element("thead", {}, element("tr", {}, element("th", { scope: "col" }, name), ...heads)),
    element("tbody", {}, ...steps.map(line)),
  );
}
