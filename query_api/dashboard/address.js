// The page's address holds what is shown, so that it can be kept, shared and gone back to.

import { isDay } from "./days.js";
import { CHOICES, DEFAULT_CHOICE } from "./ranges.js";

export function read(metrics) {
  const parameters = new URLSearchParams(location.search);
  const from = parameters.get("from");
  const to = parameters.get("to");
  const isCustom = isDay(from) && isDay(to) && from <= to;
  const range = parameters.get("range");
  const metric = parameters.get("metric");
  return {
    site: parameters.get("site"),
    choice: isCustom ? "custom" : CHOICES.includes(range) && range !== "custom" ? range : DEFAULT_CHOICE,
    from: isCustom ? from : null,
    to: isCustom ? to : null,
    metric: metrics.includes(metric) ? metric : metrics[0],
  };
}

export function write(view, metrics) {
  const parameters = new URLSearchParams();
  if (view.site) parameters.set("site", view.site);
  if (view.choice === "custom") {
    parameters.set("from", view.from);
    parameters.set("to", view.to);
  } else if (view.choice !== DEFAULT_CHOICE) {
    parameters.set("range", view.choice);
  }
  if (view.metric !== metrics[0]) parameters.set("metric", view.metric);
  const query = parameters.toString();
  const address = query ? `/?${query}` : "/";
  if (address !== location.pathname + location.search) history.pushState(null, "", address);
}
