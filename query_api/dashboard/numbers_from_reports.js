// Answers to stats queries from the report tables, for as long as the table that statistics are made of is not built.
// Reports know one dimension each, so that nothing can be filtered.

import * as api from "./api.js";
import { spanOf } from "./spans.js";

const RANKED = {
  "event:page": ["pages", "path"],
  "visit:entry_page": ["entry_pages", "entry_page"],
  "visit:exit_page": ["exit_pages", "exit_page"],
  "visit:source": ["sources", "source"],
  "visit:channel": ["sources", "channel"],
  "visit:utm_campaign": ["campaigns", "utm_campaign"],
  "visit:utm_source": ["campaigns", "utm_source"],
  "visit:utm_medium": ["campaigns", "utm_medium"],
  "visit:utm_content": ["campaigns", "utm_content"],
  "visit:utm_term": ["campaigns", "utm_term"],
  "visit:country": ["locations", "country"],
  "visit:device": ["devices", "device"],
  "visit:browser": ["devices", "browser"],
  "visit:os": ["devices", "os"],
  "event:name": ["actions", "action"],
  "event:goal": ["goals", "goal"],
};

const sum = (rows, column) => rows.reduce((total, row) => total + (row[column] ?? 0), 0);
const ratio = (above, below) => (below ? above / below : null);

const METRICS = {
  visitors: (rows) => sum(rows, "visitors"),
  visits: (rows) => sum(rows, "visits"),
  pageviews: (rows) => sum(rows, "pageviews"),
  events: (rows) => sum(rows, rows[0] && "conversions" in rows[0] ? "conversions" : "events"),
  views_per_visit: (rows) => ratio(sum(rows, "pageviews"), sum(rows, "visits")),
  bounce_rate: (rows) => ratio(100 * sum(rows, "bounces"), sum(rows, "visits")),
  visit_duration: (rows) => ratio(sum(rows, "visit_seconds"), sum(rows, "visits")),
  conversion_rate: (rows) => ratio(100 * sum(rows, "visitors"), sum(rows, "site_visitors")),
};

const measured = (names, rows) => names.map((name) => METRICS[name](rows));

export async function numbersFromReports(query, names) {
  const { site_id: site, date_range: [from, to], metrics, dimensions = [], filters } = query;
  if (filters.length) {
    throw new api.ApiError(0, "no_hits", "Filters work as soon as the table hits is built, in a few minutes.");
  }
  const rowsOf = async (name) => (names.has(name) ? api.everyRow(name, { site, from, to }) : []);
  const [dimension] = dimensions;
  if (!dimension) return { results: [{ metrics: measured(metrics, await rowsOf("traffic")), dimensions: [] }] };
  if (dimension.startsWith("time:")) {
    const unit = dimension.slice("time:".length);
    const rows = await rowsOf(unit === "hour" ? "traffic_hourly" : "traffic");
    const clock = ({ date, hour }) => (hour === undefined ? date : `${date} ${String(hour).padStart(2, "0")}`);
    return { results: grouped(rows, (row) => spanOf(clock(row), unit), metrics) };
  }
  const [report, column] = RANKED[dimension] ?? [];
  const rows = await rowsOf(report);
  const results = grouped(rows, (row) => row[column], metrics);
  results.sort((one, other) => other.metrics[0] - one.metrics[0]);
  return { results: results.slice(0, query.pagination?.limit) };
}

const grouped = (rows, key, metrics) =>
  [...Map.groupBy(rows, key)].map(([value, of]) => ({ dimensions: [value], metrics: measured(metrics, of) }));
