// Numbers as people read them.

const whole = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 0 });
const tenth = new Intl.NumberFormat("en-GB", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const compact = new Intl.NumberFormat("en-GB", { notation: "compact", maximumFractionDigits: 1 });

export const NONE = "–";

export const count = (value) => (value === null || value === undefined ? NONE : whole.format(value));
export const brief = (value) => (value === null || value === undefined ? NONE : (value < 10_000 ? whole : compact).format(value));
export const decimal = (value) => (value === null || value === undefined ? NONE : tenth.format(value));
// Of a number from 0 to 100.
export const percent = (value) => (value === null || value === undefined ? NONE : `${whole.format(value)}%`);

// The same where tenths matter.
export const rate = (value) => (value === null || value === undefined ? NONE : `${tenth.format(value)}%`);

export function duration(seconds) {
  if (seconds === null) return NONE;
  const rounded = Math.round(seconds);
  const hours = Math.floor(rounded / 3600);
  const minutes = Math.floor((rounded % 3600) / 60);
  if (hours) return `${hours}h ${minutes}m`;
  return minutes ? `${minutes}m ${String(rounded % 60).padStart(2, "0")}s` : `${rounded}s`;
}

export function ago(milliseconds) {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds < 90) return `${seconds} s ago`;
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} min ago`;
  if (seconds < 36 * 3600) return `${Math.round(seconds / 3600)} h ago`;
  return `${Math.round(seconds / 86_400)} days ago`;
}
