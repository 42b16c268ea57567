// The stats queries that the page asks, made of what is shown.

import { metricsOf } from "./metrics.js";

const asked = ({ site, filters }, { first, last }) => ({ site_id: site, date_range: [first, last], filters });

export const totals = (shown, range) => ({ ...asked(shown, range), metrics: Object.keys(metricsOf(shown.filters)) });

export const series = (shown, range) => ({
  ...asked(shown, range),
  metrics: [shown.metric],
  dimensions: [`time:${shown.unit}`],
});

// One row more than is shown tells whether there are more; where what is unknown is left out, it may be yet another.
export const ranked = (shown, { dimension, metrics, isKnownOnly }, rows) => ({
  ...asked(shown, shown.range),
  metrics,
  dimensions: [dimension],
  order_by: [[metrics[0], "desc"]],
  pagination: { limit: rows + (isKnownOnly ? 2 : 1) },
});

// The names of the properties that events have, the most frequent first.
export const propertyNames = (shown) => ({
  ...asked(shown, shown.range),
  metrics: ["events"],
  dimensions: ["event:props"],
  pagination: { limit: 200 },
});

// The values that a dimension has in the range, the most frequent first.
export const values = ({ site, range }, dimension) => ({
  ...asked({ site, filters: [] }, range),
  metrics: ["visitors"],
  dimensions: [dimension],
  pagination: { limit: 100 },
});
