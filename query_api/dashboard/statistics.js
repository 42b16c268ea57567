// Whom to ask for numbers: the statistics, or the reports for as long as the table behind the statistics is not built.

import * as api from "./api.js";
import { addDays } from "./days.js";
import { numbersFromReports } from "./numbers_from_reports.js";

const built = new Set(); // sites

// data: the first and last day a site has reports of. Answers a function from a stats query to its answer.
export async function statisticsOf(site, data, reports) {
  if (!built.has(site) && (await hasEvents(site, data))) built.add(site);
  return built.has(site) ? api.stats : (query) => numbersFromReports(query, reports);
}

async function hasEvents(site, { last }) {
  const answer = await api.stats({ site_id: site, metrics: ["events"], date_range: [addDays(last, -6), last] });
  return answer.results[0].metrics[0] > 0;
}
