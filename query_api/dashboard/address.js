// The page's address holds what is shown, so that it can be kept, shared and gone back to.

import { isDay } from "./days.js";
import * as filters from "./filters.js";
import { CHOICES, COMPARISONS, DEFAULT_CHOICE, UNITS } from "./ranges.js";

export function read(metrics) {
  const parameters = new URLSearchParams(location.search);
  const from = parameters.get("from");
  const to = parameters.get("to");
  const isCustom = isDay(from) && isDay(to) && from <= to;
  const range = oneOf(CHOICES, parameters.get("range"), DEFAULT_CHOICE);
  return {
    site: parameters.get("site"),
    choice: isCustom ? "custom" : range === "custom" ? DEFAULT_CHOICE : range,
    from: isCustom ? from : null,
    to: isCustom ? to : null,
    metric: oneOf(metrics, parameters.get("metric"), metrics[0]),
    unit: oneOf(UNITS, parameters.get("by"), null),
    comparison: oneOf(COMPARISONS, parameters.get("compare"), COMPARISONS[0]),
    filters: parameters.getAll("f").map(filters.read).filter(Boolean),
  };
}

const oneOf = (known, value, usual) => (known.includes(value) ? value : usual);

export function write(view, metrics) {
  const address = addressOf(view, metrics);
  if (address !== location.pathname + location.search) history.pushState(null, "", address);
}

function addressOf(view, metrics) {
  const parameters = [];
  if (view.site) parameters.push(["site", view.site]);
  if (view.choice === "custom") parameters.push(["from", view.from], ["to", view.to]);
  else if (view.choice !== DEFAULT_CHOICE) parameters.push(["range", view.choice]);
  if (view.metric !== metrics[0]) parameters.push(["metric", view.metric]);
  if (view.unit) parameters.push(["by", view.unit]);
  if (view.comparison !== COMPARISONS[0]) parameters.push(["compare", view.comparison]);
  parameters.push(...view.filters.map((filter) => ["f", filters.written(filter)]));
  return parameters.length ? `/?${parameters.map(([name, value]) => `${name}=${readable(value)}`).join("&")}` : "/";
}

// Slashes, commas and colons may stand in a query as they are.
const readable = (value) => encodeURIComponent(value).replace(/%(2F|2C|3A)/g, decodeURIComponent);
