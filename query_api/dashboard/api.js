// The public read API, and nothing else.

const PATIENCE = 30_000; // ms

export class ApiError extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

const pathOf = (path, parameters) => {
  const given = Object.entries(parameters).filter(([, value]) => value !== undefined && value !== null);
  return given.length ? `${path}?${new URLSearchParams(given)}` : path;
};

// Asks again for as long as the API is only busy and says when.
async function ask(path, request = {}, deadline = Date.now() + PATIENCE) {
  let response;
  try {
    response = await fetch(path, {
      ...request,
      headers: { Accept: "application/json", ...request.headers },
      signal: AbortSignal.timeout(PATIENCE),
    });
  } catch {
    throw new ApiError(0, "away", "The query API does not answer.");
  }
  const answer = await response.json().catch(() => null);
  const wait = 1_000 * Number(response.headers.get("Retry-After"));
  if (answer?.error?.code === "busy" && wait && Date.now() + wait < deadline) {
    await new Promise((resolve) => setTimeout(resolve, wait));
    return ask(path, request, deadline);
  }
  if (!response.ok || answer === null) {
    const { code = "unreadable", message = "The query API gave an answer that can't be read." } = answer?.error ?? {};
    throw new ApiError(response.status, code, message);
  }
  return answer;
}

const get = (path, parameters = {}) => ask(pathOf(path, parameters));

export const sites = async () => (await get("/api/sites")).sites;
export const reports = async () => (await get("/api/reports")).reports;
export const report = (name, parameters) => get(`/api/reports/${name}`, parameters);
export const realtime = (site) => get("/api/realtime", { site });
export const events = async (site, limit) => (await get("/api/events", { site, limit })).events;
export const deadLetters = (site, reason) => get("/api/dead_letters", { site, reason });

export const stats = (query) =>
  ask("/api/v2/query", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(query),
  });

export async function everyRow(name, parameters) {
  const rows = [];
  let next;
  do {
    const answer = await report(name, { ...parameters, next });
    rows.push(...answer.rows);
    next = answer.next;
  } while (next);
  return rows;
}

export const fileAddress = (name, format, parameters) => pathOf(`/api/reports/${name}.${format}`, parameters);
