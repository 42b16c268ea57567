// Who comes back: of the people first seen in a week, how many were there again in each week after it.

import * as api from "./api.js";
import { addDays, shortDay } from "./days.js";
import { element, redraw } from "./elements.js";
import { count, percent } from "./numbers.js";

const COHORTS = 8;

export async function drawRetention(parent, { site, today, filters }, reports, isCurrent) {
  const isShown = reports.has("retention") && !filters.length;
  const from = addDays(today, -7 * (COHORTS + 1));
  const all = isShown ? await api.everyRow("retention", { site, from, to: today }) : [];
  const rows = all.filter(({ cohort }) => cohort >= from);
  if (!isCurrent()) return;
  parent.hidden = !rows.length;
  if (!rows.length) return;
  const cohorts = [...Map.groupBy(rows, ({ cohort }) => cohort)].sort(([one], [other]) => (one < other ? -1 : 1));
  const weeks = Array.from({ length: Math.max(...rows.map((row) => row.weeks_since)) + 1 }, (_, week) => week);
  const head = ["Week of", "People", ...weeks.slice(1).map((week) => `+${week} w`)];
  redraw(
    parent,
    element("h2", { id: "retention-title" }, "Who comes back"),
    element(
      "div",
      { class: "scrolls", tabindex: 0, role: "group", "aria-labelledby": "retention-title" },
      element(
        "table",
        { class: "retention" },
        element("thead", {}, element("tr", {}, ...head.map((words) => element("th", { scope: "col" }, words)))),
        element("tbody", {}, ...cohorts.map(([cohort, of]) => lineOf(cohort, of, weeks))),
      ),
    ),
  );
}

function lineOf(cohort, rows, weeks) {
  const people = new Map(rows.map((row) => [row.weeks_since, row.people]));
  const first = people.get(0) ?? 0;
  const cell = (week) => {
    const share = first && people.has(week) ? (100 * people.get(week)) / first : null;
    const made = element("td", { title: people.has(week) ? `${count(people.get(week))} people` : null }, share === null ? "" : percent(share));
    if (share !== null) made.style.setProperty("--share", `${Math.round(share)}%`);
    return made;
  };
  const head = element("th", { scope: "row" }, shortDay(cohort));
  return element("tr", {}, head, element("td", { class: "first" }, count(first)), ...weeks.slice(1).map(cell));
}
