// Calls the API at the address in config.json.

const PATIENCE_MS = 30_000; // API Gateway itself gives up after 29 s
const PAUSE_MS = 500;
const NO_MODEL = "No model is available yet. Try again after one has been trained.";

/** When the API gives no usable answer: a message, errors of single fields, and the cause if there is no model. */
export class Problem extends Error {
  constructor(sentence, violations = [], cause = "") {
    super(sentence, { cause });
    this.violations = violations;
  }
}

export let config; // config.json, after the first request: the API's address, and the study

/** Call a route; POST if there is a body. */
export async function ask(route, body) {
  config ??= await answerOf("config.json");
  return answerOf(config.api_url + route, body);
}

async function answerOf(url, body) {
  const { apiKey } = sessionStorage;
  const headers = { ...(apiKey && { "x-api-key": apiKey }), ...(body && { "Content-Type": "application/json" }) };
  const response = await reach(url, body ? { method: "POST", headers, body: JSON.stringify(body) } : { headers });
  const answer = await response.json().catch(() => null); // errors of the gateway itself may not be JSON
  if (response.ok && answer) return answer;
  if (response.status === 403) {
    sessionStorage.apiKey = prompt("This service requires an API key:") ?? "";
    if (sessionStorage.apiKey) return answerOf(url, body);
  }
  if (response.status === 503) throw new Problem(NO_MODEL, [], answer?.detail);
  const sentence = answer?.detail ?? `The service returned an error (status ${response.status}). Please try again.`;
  throw new Problem(sentence, answer?.errors);
}

/** Fetch, and retry once if the network fails: all routes are idempotent. */
async function reach(url, options, again = true) {
  try {
    return await fetch(url, { ...options, signal: AbortSignal.timeout(PATIENCE_MS) });
  } catch (fault) {
    if (fault.name === "TimeoutError") throw new Problem("The service took too long to respond. Please try again.");
    if (!again) throw new Problem("Cannot reach the service. Check your connection and try again.");
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    return reach(url, options, false);
  }
}
