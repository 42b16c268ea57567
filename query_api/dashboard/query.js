// The stats queries that the page asks, made of what is shown.

import { METRIC_NAMES } from "./metrics.js";

const asked = ({ site, filters }, { first, last }) => ({ site_id: site, date_range: [first, last], filters });

export const totals = (shown, range) => ({ ...asked(shown, range), metrics: METRIC_NAMES });

export const series = (shown, range) => ({
  ...asked(shown, range),
  metrics: [shown.metric],
  dimensions: [`time:${shown.unit}`],
});

// One row more than is shown tells whether there are more.
export const ranked = (shown, { dimension, metrics }, rows) => ({
  ...asked(shown, shown.range),
  metrics,
  dimensions: [dimension],
  order_by: [[metrics[0], "desc"]],
  pagination: { limit: rows + 1 },
});

// The values that a dimension has in the range, the most frequent first.
export const values = ({ site, range }, dimension) => ({
  ...asked({ site, filters: [] }, range),
  metrics: ["visitors"],
  dimensions: [dimension],
  pagination: { limit: 100 },
});
