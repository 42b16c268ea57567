// The numbers of a stats query: what they are called, how they read, and how a change of them reads.

import { isOfGoal } from "./filters.js";
import { brief, count, decimal, duration, percent, rate } from "./numbers.js";

// read: short, for a tile; exact: for a tooltip. better: 1 where more is good news, -1 where less is.
export const METRICS = {
  visitors: { label: "Visitors", read: brief, exact: count, better: 1, isCount: true, isDailySum: true },
  visits: { label: "Visits", read: brief, exact: count, better: 1, isCount: true },
  pageviews: { label: "Page views", read: brief, exact: count, better: 1, isCount: true },
  views_per_visit: { label: "Views per visit", read: decimal, exact: decimal, better: 1 },
  bounce_rate: { label: "Bounce rate", read: percent, exact: percent, better: -1, isShare: true },
  visit_duration: {
    label: "Visit duration",
    read: duration,
    exact: duration,
    better: 1,
    steps: [15, 30, 60, 120, 300, 600, 900, 1800, 3600], // seconds
  },
};

// Instead of those where a filter asks for a goal: the numbers are then those of who reached it.
const CONVERSIONS = {
  visitors: { ...METRICS.visitors, label: "Unique conversions" },
  events: { label: "Total conversions", read: brief, exact: count, better: 1, isCount: true },
  conversion_rate: { label: "Conversion rate", read: rate, exact: rate, better: 1, isRate: true },
};

export const METRIC_NAMES = [...new Set([...Object.keys(METRICS), ...Object.keys(CONVERSIONS)])];

export const metricsOf = (filters) => (isOfGoal(filters) ? CONVERSIONS : METRICS);

// How the numbers of the boxes are called and read; those above among them.
export const COLUMNS = {
  visitors: { title: "Visitors", read: count },
  visits: { title: "Visits", read: count },
  pageviews: { title: "Views", read: count },
  events: { title: "Events", read: count },
  bounce_rate: { title: "Bounces", read: percent },
  conversion_rate: { title: "Rate", read: rate },
  percentage: { title: "Share", read: percent },
};

// How a number has changed: its words, its direction, and whether that is good news.
export function change(metric, now, before) {
  if (now === null || before === null) return null;
  if (metric.isRate) return worded(Math.round((now - before) * 10) / 10, " pp", metric.better);
  if (metric.isShare) return worded(Math.round(now - before), " pp", metric.better);
  if (before === 0) return null;
  return worded(Math.round((now / before - 1) * 100), "%", metric.better);
}

function worded(difference, unit, better) {
  const direction = Math.sign(difference);
  const words = direction === 0 ? "unchanged" : direction > 0 ? "up" : "down";
  return { text: `${Math.abs(difference)}${unit}`, direction, words, news: direction * better };
}
