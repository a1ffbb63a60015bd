// Requests to the REST interface.

/** An error that the balancer tells; its message is the sentence for people. */
export class Problem extends Error {
  /**
   * @param {number} status the status of HTTP; 0 if the balancer can't be reached
   * @param {string} detail
   * @param {any} [told] the whole answer
   */
  constructor(status, detail, told = null) {
    super(detail);
    this.status = status;
    this.told = told;
  }
}

/**
 * Send a request.
 * @param {string} method
 * @param {string} path below the console's own, without a slash before it
 * @param {object} [body]
 * @returns {Promise<any>} what the balancer answers
 * @throws {Problem}
 */
async function send(method, path, body) {
  /** @type {Response} */
  let answer;
  try {
    answer = await fetch(path, {
      method,
      headers: body === undefined ? {} : { "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new Problem(0, "the balancer can't be reached");
  }
  if (answer.status === 401 && !path.endsWith("/login")) {
    location.assign("login");
  }
  const told = answer.status === 204 ? null : await answer.json().catch(() => null);
  if (!answer.ok) {
    const detail = told?.detail ?? `the balancer answers with ${answer.status}`;
    throw new Problem(answer.status, detail, told);
  }
  return told;
}

/** @param {string} path */
export const get = (path) => send("GET", path);

/** @param {string} path @param {object} [body] */
export const post = (path, body = {}) => send("POST", path, body);

/** @param {string} path @param {object} body */
export const put = (path, body) => send("PUT", path, body);

/**
 * The path of a resource.
 * @param {string} service
 * @param {string} [group]
 * @param {string} [host]
 */
export function pathOf(service, group, host) {
  let path = `api/v1/services/${encodeURIComponent(service)}`;
  if (group !== undefined) {
    path += `/groups/${encodeURIComponent(group)}`;
  }
  if (host !== undefined) {
    path += `/hosts/${encodeURIComponent(host)}`;
  }
  return path;
}
