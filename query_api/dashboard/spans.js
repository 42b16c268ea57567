// The spans that a chart is drawn by: hours, days, weeks or months, each known by the text the API has for it.

import { addDays, addMonths, everyDay, longDay, mondayOf, monthOf, monthText, shortDay, weekdayOf } from "./days.js";

// Every span that a range touches, from old to new.
export function spansOf({ first, last }, unit) {
  const days = everyDay(first, last);
  if (unit === "hour") return days.flatMap((day) => HOURS.map((hour) => `${day} ${hour}`));
  return [...new Set(days.map((day) => spanOf(day, unit)))];
}

const HOURS = Array.from({ length: 24 }, (_, hour) => `${String(hour).padStart(2, "0")}:00:00`);

// The span of a wall clock, YYYY-MM-DD HH:MM:SS, or of a day.
export function spanOf(clock, unit) {
  const day = clock.slice(0, 10);
  if (unit === "hour") return `${clock.slice(0, 13)}:00:00`;
  return unit === "day" ? day : unit === "week" ? mondayOf(day) : monthOf(day);
}

export const unixSeconds = (span) => Date.parse(`${span.slice(0, 10)}T${span.slice(11) || "00:00:00"}Z`) / 1000;

// As it stands on the axis.
export function briefSpan(span, unit, isOneDay) {
  if (unit === "hour") return isOneDay ? span.slice(11, 16) : shortDay(span.slice(0, 10));
  return unit === "month" ? monthText(span) : shortDay(span);
}

// As it is said in words.
export function longSpan(span, unit) {
  const day = span.slice(0, 10);
  if (unit === "hour") return `${longDay(day)}, ${span.slice(11, 16)}`;
  if (unit === "week") return `week of ${longDay(day)}`;
  return unit === "month" ? monthText(day) : `${weekdayOf(day)}, ${longDay(day)}`;
}

// The days of a span that are within a range.
export function daysOf(span, unit, { first, last }) {
  const day = span.slice(0, 10);
  const end = unit === "week" ? addDays(day, 6) : unit === "month" ? addDays(addMonths(day, 1), -1) : day;
  return { first: day < first ? first : day, last: end > last ? last : end };
}
