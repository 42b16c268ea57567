// Calendar days as texts, YYYY-MM-DD, in the site's time zone; arithmetic in UTC, where every day has 24 hours.

const DAY = 86_400_000;

const instant = (day) => Date.parse(`${day}T00:00:00Z`);
const text = (milliseconds) => new Date(milliseconds).toISOString().slice(0, 10);

export const addDays = (day, count) => text(instant(day) + count * DAY);
export const daysBetween = (first, last) => Math.round((instant(last) - instant(first)) / DAY) + 1;
export const unixSeconds = (day) => instant(day) / 1000;
export const dayOf = (seconds) => text(seconds * 1000);

export const isDay = (day) => /^\d{4}-\d{2}-\d{2}$/.test(day ?? "") && !Number.isNaN(instant(day));

export function everyDay(first, last) {
  return Array.from({ length: daysBetween(first, last) }, (_, index) => addDays(first, index));
}

export function today(timeZone, now = new Date()) {
  const parts = new Intl.DateTimeFormat("en", { timeZone, year: "numeric", month: "2-digit", day: "2-digit" })
    .formatToParts(now);
  const part = (type) => parts.find((piece) => piece.type === type).value;
  return `${part("year")}-${part("month")}-${part("day")}`;
}

const long = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
const short = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });
const weekday = new Intl.DateTimeFormat("en-GB", { weekday: "short", timeZone: "UTC" });

export const longDay = (day) => long.format(instant(day));
export const shortDay = (day) => short.format(instant(day));
export const weekdayOf = (day) => weekday.format(instant(day));

export function spanText(first, last) {
  if (first === last) return longDay(first);
  const sameYear = first.slice(0, 4) === last.slice(0, 4);
  return `${sameYear ? shortDay(first) : longDay(first)} – ${longDay(last)}`;
}
