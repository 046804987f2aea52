// The gateway's API: one place that knows the token, and that turns every failure into a Problem.
import { setClock } from "./format.js";
import { session } from "./session.js";

/** RFC 9457, as the gateway answers it; `status` 0: nobody answered. */
export class Problem extends Error {
  constructor({ status = 0, code = "", title = "", detail = "", errors = [], retryAfter }) {
    super(detail || title);
    Object.assign(this, { status, code, title, detail, errors, retryAfter });
  }

  /** Whether the same again may go well later. */
  get passes() { return this.status === 0 || this.status === 429 || this.status >= 500; }
}

const unreachable = {
  code: "unreachable", title: "The gateway does not answer",
  detail: "It may be restarting, or the network is away. This page tries again by itself.",
};

/** @returns the response, if it is a success */
export async function call(path, { method = "GET", body, headers = {}, signal, token = session.token } = {}) {
  if (token) headers = { ...headers, Authorization: `Bearer ${token}` };
  let response;
  try {
    response = await fetch(path, { method, body, headers, signal, cache: "no-store", credentials: "omit", redirect: "error" });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Problem(unreachable);
  }
  setClock(response.headers.get("Date"));
  if (!response.ok) {
    const text = await response.text().catch(() => "");
    throw refused(problem(response.status, text, response.headers.get("Retry-After")), token);
  }
  return response;
}

/** A token that was good and is no more ends the session, wherever that is heard. */
function refused(problem, token) {
  if (problem.status === 401 && token && token === session.token) session.end(problem.detail);
  return problem;
}

function problem(status, text, retryAfter) {
  let said = {};
  try { said = JSON.parse(text); } catch { /* A proxy answered, not the gateway. */ }
  return new Problem({
    status, code: said.code, title: said.title || `The answer is ${status}`, detail: said.detail,
    errors: Array.isArray(said.errors) ? said.errors : [], retryAfter: Number(retryAfter) || undefined,
  });
}

/** JSON from there. `query` members that are empty are left out. */
export async function get(path, query, signal) {
  return json(await whole(await call(withQuery(path, query), { signal }), signal));
}

export async function post(path, value, { signal, headers } = {}) {
  const response = await call(path, {
    method: "POST", body: JSON.stringify(value), signal, headers: { "Content-Type": "application/json", ...headers },
  });
  return json(await whole(response, signal));
}

async function whole(response, signal) {
  try { return await response.text(); } catch (error) {
    if (signal?.aborted) throw error;
    throw new Problem(unreachable);
  }
}

/** A proxy may answer a page with the status of a success. */
function json(text) {
  try { return text ? JSON.parse(text) : {}; } catch { throw new Problem(unreachable); }
}

function withQuery(path, query) {
  const parts = Object.entries(query ?? {}).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return parts.length ? `${path}?${new URLSearchParams(parts)}` : path;
}

/** Uploads a form and tells how far it is: `fetch` does not. */
export function upload(path, form, { headers, signal, onProgress }) {
  const { token } = session;
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", path);
    request.setRequestHeader("Authorization", `Bearer ${token}`);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => onProgress(event.loaded, event.lengthComputable ? event.total : NaN);
    request.onload = () => {
      if (request.status < 200 || request.status >= 300) return reject(refused(problem(request.status, request.responseText, request.getResponseHeader("Retry-After")), token));
      try { resolve(json(request.responseText)); } catch (error) { reject(error); }
    };
    request.onerror = () => reject(new Problem({ ...unreachable, detail: "The upload was cut off. Submit again: what had arrived is not taken twice." }));
    request.onabort = () => reject(new DOMException("The upload was stopped.", "AbortError"));
    signal.addEventListener("abort", () => request.abort());
    request.send(form);
  });
}

export const path = {
  job: (id, rest = "") => `/v1/jobs/${encodeURIComponent(id)}${rest}`,
  request: (id, rest = "") => `/v1/requests/${encodeURIComponent(id)}${rest}`,
};
