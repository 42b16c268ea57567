// The report of who did what to what, in the shape of a stats answer: its rows are filtered by what was done.

import * as api from "./api.js";

export async function actionsReport({ site, range }, rows) {
  const asked = { site, from: range.first, to: range.last, per: "range", order: "-events", limit: rows };
  const answer = await api.report("actions", asked);
  return { results: answer.rows.map(resultOf) };
}

const resultOf = ({ object_type: who, action, subject_type: what, events, visitors }) => ({
  words: [who, action, what].filter(Boolean).join(" · "),
  dimensions: [action],
  metrics: [events, visitors],
});
