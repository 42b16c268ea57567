// Ranges of days: what a choice in the picker means, and the period it is compared with.

import { addDays, daysBetween } from "./days.js";

export const CHOICES = ["today", "7d", "30d", "month", "all", "custom"];
export const DEFAULT_CHOICE = "30d";

// First and last day of a choice; `all` is where the site has data, today where it has none.
export function rangeOf(choice, { today, data, from, to }) {
  switch (choice) {
    case "today":
      return { first: today, last: today };
    case "7d":
      return { first: addDays(today, -6), last: today };
    case "month":
      return { first: `${today.slice(0, 8)}01`, last: today };
    case "all":
      return data ?? { first: today, last: today };
    case "custom":
      return { first: from, last: to };
    default:
      return { first: addDays(today, -29), last: today };
  }
}

// As many days as the range has, directly before or after it.
export function shifted({ first, last }, steps) {
  const days = daysBetween(first, last) * steps;
  return { first: addDays(first, days), last: addDays(last, days) };
}
