// A CSV file made in the browser, of an answer that is no report.

import { shortName } from "./dimensions.js";

export function csvOf({ dimension, metrics }, results) {
  const lines = results.map(({ dimensions, metrics: numbers }) => [...dimensions, ...numbers]);
  return [[shortName(dimension), ...metrics], ...lines].map((cells) => cells.map(cell).join(",")).join("\n") + "\n";
}

function cell(value) {
  if (value === null) return "";
  const text = String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

export function save(name, text) {
  const address = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
