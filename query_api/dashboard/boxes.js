// The boxes of ranked rows below the chart, and the tabs of each. The first metric ranks and draws the bars.

const VISITS = ["visitors", "visits"];

// report: whose own files hold the same by day; where there is none, files are made of the answer.
export const BOXES = [
  {
    name: "sources",
    title: "Sources",
    empty: "No visit began in this range.",
    tabs: [
      { title: "Source", dimension: "visit:source", metrics: VISITS, report: "sources" },
      { title: "Channel", dimension: "visit:channel", metrics: VISITS, report: "sources" },
      { title: "Referrer", dimension: "visit:referrer", metrics: VISITS },
      { title: "Campaign", dimension: "visit:utm_campaign", metrics: VISITS, report: "campaigns" },
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
    name: "goals",
    isShort: true,
    title: "Goals",
    empty: "No goal was reached in this range. Goals are declared in sites.toml.",
    tabs: [
      { title: "Goal", dimension: "event:goal", metrics: ["visitors", "events", "conversion_rate"], report: "goals" },
    ],
  },
  {
    name: "actions",
    isShort: true,
    title: "Actions: who did what to what",
    empty: "Nothing happened in this range.",
    tabs: [
      { title: "Who did what", dimension: "event:name", metrics: ["events", "visitors"], report: "actions" },
    ],
  },
];
