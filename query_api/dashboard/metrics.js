// The headline numbers: how each is computed from rows of the report `traffic`, and how it reads.

import { brief, count, decimal, duration, percent } from "./numbers.js";

const sum = (rows, column) => rows.reduce((total, row) => total + row[column], 0);
const ratio = (above, below) => (below ? above / below : null);

// read: short, for a tile; exact: for a tooltip. better: 1 where more is good news, -1 where less is.
export const METRICS = {
  visitors: {
    label: "Visitors",
    of: (rows) => sum(rows, "visitors"),
    read: brief,
    exact: count,
    better: 1,
    isCount: true,
    isDailySum: true,
  },
  visits: { label: "Visits", of: (rows) => sum(rows, "visits"), read: brief, exact: count, better: 1, isCount: true },
  pageviews: {
    label: "Page views",
    of: (rows) => sum(rows, "pageviews"),
    read: brief,
    exact: count,
    better: 1,
    isCount: true,
  },
  views_per_visit: {
    label: "Views per visit",
    of: (rows) => ratio(sum(rows, "pageviews"), sum(rows, "visits")),
    read: decimal,
    exact: decimal,
    better: 1,
  },
  bounce_rate: {
    label: "Bounce rate",
    of: (rows) => ratio(sum(rows, "bounces"), sum(rows, "visits")),
    read: percent,
    exact: percent,
    better: -1,
    isShare: true,
  },
  visit_duration: {
    label: "Visit duration",
    of: (rows) => ratio(sum(rows, "visit_seconds"), sum(rows, "visits")),
    read: duration,
    exact: duration,
    better: 1,
    steps: [15, 30, 60, 120, 300, 600, 900, 1800, 3600], // seconds
  },
};

export const METRIC_NAMES = Object.keys(METRICS);

// How a number has changed: its words, its direction, and whether that is good news.
export function change(metric, now, before) {
  if (now === null || before === null) return null;
  if (metric.isShare) return worded(Math.round((now - before) * 100), " pp", metric.better);
  if (before === 0) return null;
  return worded(Math.round((now / before - 1) * 100), "%", metric.better);
}

function worded(difference, unit, better) {
  const direction = Math.sign(difference);
  const words = direction === 0 ? "unchanged" : direction > 0 ? "up" : "down";
  return { text: `${Math.abs(difference)}${unit}`, direction, words, news: direction * better };
}
