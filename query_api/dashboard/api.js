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

async function get(path, parameters = {}) {
  let response;
  try {
    response = await fetch(pathOf(path, parameters), {
      headers: { Accept: "application/json" },
      signal: AbortSignal.timeout(PATIENCE),
    });
  } catch {
    throw new ApiError(0, "away", "The query API does not answer.");
  }
  const answer = await response.json().catch(() => null);
  if (!response.ok || answer === null) {
    const { code = "unreadable", message = "The query API gave an answer that can't be read." } = answer?.error ?? {};
    throw new ApiError(response.status, code, message);
  }
  return answer;
}

export const sites = async () => (await get("/api/sites")).sites;
export const reports = async () => (await get("/api/reports")).reports;

// A report that was not built yet has no rows.
export async function report(name, parameters) {
  try {
    return await get(`/api/reports/${name}`, parameters);
  } catch (error) {
    if (error.code === "no_such_report") return { report: name, columns: [], rows: [], next: null };
    throw error;
  }
}

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
