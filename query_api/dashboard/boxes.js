// The boxes of ranked rows below the chart, and the tabs of each. The first metric ranks and draws the bars.

import { isOfGoal } from "./filters.js";

const VISITS = ["visitors", "visits"];

const campaigns = (title, name) => ({
  title,
  dimension: `visit:utm_${name}`,
  metrics: VISITS,
  report: "campaigns",
  isKnownOnly: true,
});

// A tab with its metrics: where the numbers are those of a goal, who reached it and their share.
export function tabWith(tab, filters) {
  return isOfGoal(filters) && !tab.isAlwaysSo ? { ...tab, metrics: ["visitors", "conversion_rate"] } : tab;
}

// report: whose own files hold the same by day; where there is none, files are made of the answer.
// isKnownOnly: rows without a value are left out. isOfProperties: the dimension is a property that is chosen there.
export const BOXES = [
  {
    name: "sources",
    title: "Sources",
    empty: "No visit began in this range.",
    tabs: [
      { title: "Source", dimension: "visit:source", metrics: VISITS, report: "sources" },
      { title: "Channel", dimension: "visit:channel", metrics: VISITS, report: "sources" },
      { title: "Referrer", dimension: "visit:referrer", metrics: VISITS },
    ],
  },
  {
    name: "pages",
    title: "Pages",
    empty: "No page was viewed in this range.",
    tabs: [
      { title: "Top", dimension: "event:page", metrics: ["visitors", "pageviews"], report: "pages" },
      { title: "Entry", dimension: "visit:entry_page", metrics: ["visits", "bounce_rate"], report: "entry_pages" },
      { title: "Exit", dimension: "visit:exit_page", metrics: ["visits", "bounce_rate"], report: "exit_pages" },
    ],
  },
  {
    name: "places",
    title: "Places",
    empty: "No visit began in this range.",
    tabs: [{ title: "Country", dimension: "visit:country", metrics: VISITS, report: "locations" }],
  },
  {
    name: "devices",
    title: "Devices",
    empty: "No visit began in this range.",
    tabs: [
      { title: "Browser", dimension: "visit:browser", metrics: VISITS, report: "devices" },
      { title: "System", dimension: "visit:os", metrics: VISITS, report: "devices" },
      { title: "Size", dimension: "visit:device", metrics: VISITS, report: "devices" },
    ],
  },
  {
    name: "campaigns",
    isShort: true,
    title: "Campaigns",
    empty: "No visit of this range came from an address with utm_source or another of the five.",
    tabs: [
      campaigns("Campaign", "campaign"),
      campaigns("Source", "source"),
      campaigns("Medium", "medium"),
      campaigns("Content", "content"),
      campaigns("Term", "term"),
    ],
  },
  {
    name: "goals",
    isShort: true,
    title: "Goals",
    empty: "No goal was reached in this range. Goals are declared in sites.toml.",
    tabs: [
      {
        title: "Goal",
        dimension: "event:goal",
        metrics: ["visitors", "events", "conversion_rate"],
        report: "goals",
        isAlwaysSo: true,
      },
    ],
  },
  {
    name: "actions",
    isShort: true,
    title: "Actions: who did what to what",
    empty: "Nothing happened in this range.",
    tabs: [
      {
        title: "Who did what",
        dimension: "event:name",
        metrics: ["events", "visitors"],
        report: "actions",
        isAlwaysSo: true,
      },
    ],
  },
  {
    name: "properties",
    isShort: true,
    isOfProperties: true,
    title: "Properties",
    empty: "No event of this range has properties, such as {plan: 'pro'} in logektor('signup', {plan: 'pro'}).",
    tabs: [{ title: "Property", dimension: "event:props", metrics: ["visitors", "events"], isKnownOnly: true }],
  },
];
