// Calendar days as texts, YYYY-MM-DD, in the site's time zone; arithmetic in UTC, where every day has 24 hours.

const DAY = 86_400_000;

const instant = (day) => Date.parse(`${day}T00:00:00Z`);
const text = (milliseconds) => new Date(milliseconds).toISOString().slice(0, 10);

export const addDays = (day, count) => text(instant(day) + count * DAY);
export const daysBetween = (first, last) => Math.round((instant(last) - instant(first)) / DAY) + 1;
export const monthOf = (day) => `${day.slice(0, 8)}01`;
export const mondayOf = (day) => addDays(day, -((new Date(instant(day)).getUTCDay() + 6) % 7));

// The same day of another month, or that month's last day.
export function addMonths(day, count) {
  const [year, month, date] = day.split("-").map(Number);
  const lastDate = new Date(Date.UTC(year, month + count, 0)).getUTCDate();
  return text(Date.UTC(year, month - 1 + count, Math.min(date, lastDate)));
}

export const addYears = (day, count) => addMonths(day, 12 * count);

export const isDay = (day) => /^\d{4}-\d{2}-\d{2}$/.test(day ?? "") && !Number.isNaN(instant(day));

export function everyDay(first, last) {
  return Array.from({ length: Math.max(0, daysBetween(first, last)) }, (_, index) => addDays(first, index));
}

// The wall clock of a time zone, YYYY-MM-DD HH:MM:SS.
export function wallClock(timeZone, now = new Date()) {
  return new Intl.DateTimeFormat("sv-SE", { timeZone, dateStyle: "short", timeStyle: "medium" }).format(now);
}

export const today = (timeZone, now = new Date()) => wallClock(timeZone, now).slice(0, 10);

const long = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
const short = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });
const weekday = new Intl.DateTimeFormat("en-GB", { weekday: "short", timeZone: "UTC" });
const month = new Intl.DateTimeFormat("en-GB", { month: "short", year: "numeric", timeZone: "UTC" });

export const longDay = (day) => long.format(instant(day));
export const shortDay = (day) => short.format(instant(day));
export const weekdayOf = (day) => weekday.format(instant(day));
export const monthText = (day) => month.format(instant(day));

export function spanText(first, last) {
  if (first === last) return longDay(first);
  const sameYear = first.slice(0, 4) === last.slice(0, 4);
  return `${sameYear ? shortDay(first) : longDay(first)} – ${longDay(last)}`;
}
