// The dimensions that the page parts and filters by: what they are called, and how their values read.

const country = new Intl.DisplayNames("en", { type: "region", fallback: "code" });

const DIRECT = "Direct / None";
const UNKNOWN = "(unknown)";

export const DIMENSIONS = {
  "event:page": { title: "Page" },
  "visit:entry_page": { title: "Entry page" },
  "visit:exit_page": { title: "Exit page" },
  "event:hostname": { title: "Host" },
  "visit:source": { title: "Source", none: DIRECT },
  "visit:channel": { title: "Channel" },
  "visit:referrer": { title: "Referrer", none: DIRECT },
  "visit:utm_campaign": { title: "Campaign", none: "(no campaign)" },
  "visit:utm_source": { title: "UTM source", none: "(none)" },
  "visit:utm_medium": { title: "UTM medium", none: "(none)" },
  "visit:utm_content": { title: "UTM content", none: "(none)" },
  "visit:utm_term": { title: "UTM term", none: "(none)" },
  "visit:country": { title: "Country", read: (code) => (/^[A-Z]{2}$/.test(code) ? country.of(code) : code) },
  "visit:device": { title: "Device" },
  "visit:browser": { title: "Browser" },
  "visit:os": { title: "System" },
  "event:goal": { title: "Goal" },
  "event:name": { title: "Action" },
};

const PROPERTY = "event:props:";
const OF_PROPERTY = { none: "(none)" };

export const propertyDimension = (name) => PROPERTY + name;

export const isDimension = (name) => name in DIMENSIONS || (name.startsWith(PROPERTY) && name.length > PROPERTY.length);

export const titleOf = (name) => DIMENSIONS[name]?.title ?? `Property ${name.slice(PROPERTY.length)}`;

export function wordsOf(name, value) {
  const { none = UNKNOWN, read } = DIMENSIONS[name] ?? OF_PROPERTY;
  if (value === null || value === "") return none;
  return read ? read(value) : value;
}

// In an address a dimension has its short name: page, source, props:plan.
export const shortName = (name) => name.slice(name.indexOf(":") + 1);

export function fullName(short) {
  const full = short.startsWith("props:") ? `event:${short}` : null;
  return full ?? Object.keys(DIMENSIONS).find((name) => shortName(name) === short) ?? null;
}
