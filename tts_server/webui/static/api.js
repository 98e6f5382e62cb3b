// The server's API: one request, and what can go wrong with it.

/** Why there is no speech. `code` is the API's own, or "unreachable", "broken"; `retryAfter` is in seconds, or null. */
export class Failure extends Error {
  constructor(code, { message = "", status = 0, retryAfter = null } = {}) {
    super(message);
    this.code = code;
    this.status = status;
    this.retryAfter = retryAfter;
  }

  /** Whether the same request may succeed later. */
  get passing() {
    return this.status === 0 || this.status >= 500 || this.status === 429 || this.status === 408;
  }
}

/** One request, with a key if there is one. Returns its response, its body not yet read; throws Failure. */
export async function call(address, { key, headers, ...more }) {
  const authorization = key ? { Authorization: `Bearer ${key}` } : {};
  let response;
  try {
    response = await fetch(address, { ...more, headers: { ...headers, ...authorization } });
  } catch (error) {
    throw more.signal?.aborted ? error : new Failure("unreachable");
  }
  if (!response.ok) throw await failureOf(response);
  return response;
}

/** Ask for speech. Returns the response, its body not yet read; throws Failure, or AbortError when `signal` says so. */
export async function requestSpeech(asked, { key, signal }) {
  const headers = { "Content-Type": "application/json" };
  return call("v1/audio/speech", { method: "POST", headers, body: JSON.stringify(asked), signal, key });
}

/** The body's pieces as they come; throws Failure when the connection breaks. */
export async function* piecesOf(response, signal) {
  const reader = response.body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } catch (error) {
    throw signal.aborted ? error : new Failure("broken");
  }
}

async function failureOf(response) {
  const { status } = response;
  const after = Number.parseInt(response.headers.get("Retry-After"), 10);
  // A proxy before the server answers in its own words.
  const error = await response.json().then((body) => body.error, () => null);
  return new Failure(error?.code ?? "other", {
    message: error?.message ?? `HTTP ${status} ${response.statusText}`.trim(),
    status,
    retryAfter: Number.isNaN(after) ? null : after,
  });
}
