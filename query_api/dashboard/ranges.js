// Ranges of days: what a choice in the picker means, what it is compared with, and the units it is drawn by.

import { addDays, addMonths, addYears, daysBetween, monthOf } from "./days.js";

export const CHOICES = ["today", "7d", "28d", "30d", "month", "12mo", "all", "custom"];
export const DEFAULT_CHOICE = "30d";
export const COMPARISONS = ["previous", "year", "none"];
export const UNITS = ["hour", "day", "week", "month"];

const LENGTHS = { "7d": 7, "28d": 28, "30d": 30 }; // days, today is the last

// First and last day of a choice; `all` is where the site has data, today where it has none.
export function rangeOf(choice, { today, data, from, to }) {
  if (choice in LENGTHS) return { first: addDays(today, 1 - LENGTHS[choice]), last: today };
  if (choice === "month") return { first: monthOf(today), last: today };
  if (choice === "12mo") return { first: addMonths(monthOf(today), -11), last: today };
  if (choice === "all" && data) return { first: data.first, last: today < data.last ? data.last : today };
  if (choice === "custom") return { first: from, last: to };
  return { first: today, last: today };
}

// As many days as the range has, directly before or after it.
export function shifted({ first, last }, steps) {
  const days = daysBetween(first, last) * steps;
  return { first: addDays(first, days), last: addDays(last, days) };
}

// The range to compare with; null where nothing is compared, and for all days, before which there is nothing.
export function comparedWith(range, comparison, choice) {
  if (comparison === "none" || choice === "all") return null;
  if (comparison === "year") return { first: addYears(range.first, -1), last: addYears(range.last, -1) };
  return shifted(range, -1);
}

// The units that fit a range, and the one that it is drawn by unless another is chosen.
export function unitsOf({ first, last }) {
  const days = daysBetween(first, last);
  return UNITS.filter((unit) => FITS[unit](days));
}

const FITS = {
  hour: (days) => days <= 7,
  day: (days) => days > 1 && days <= 400,
  week: (days) => days >= 14,
  month: (days) => days >= 60,
};

export function unitOf(range, chosen) {
  const fitting = unitsOf(range);
  if (fitting.includes(chosen)) return chosen;
  const days = daysBetween(range.first, range.last);
  return days === 1 ? "hour" : days <= 91 ? "day" : "month";
}
