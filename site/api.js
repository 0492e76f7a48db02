// Asks the API, wherever config.json says that it is.

const PATIENCE_MS = 30_000; // API Gateway itself gives up after 29 s
const PAUSE_MS = 500;
const NO_MODEL = "No model is loaded yet. Once one has been trained, try again.";

/** When there is no answer to use: a sentence, what is said of single fields, and why no model answers. */
export class Problem extends Error {
  constructor(sentence, violations = [], cause = "") {
    super(sentence, { cause });
    this.violations = violations;
  }
}

export let config; // once something was asked: where the API is, and what the study is

/** Ask a route; with a body it is a POST. */
export async function ask(route, body) {
  config ??= await answerOf("config.json");
  return answerOf(config.api_url + route, body);
}

async function answerOf(url, body) {
  const { apiKey } = sessionStorage;
  const headers = { ...(apiKey && { "x-api-key": apiKey }), ...(body && { "Content-Type": "application/json" }) };
  const response = await reach(url, body ? { method: "POST", headers, body: JSON.stringify(body) } : { headers });
  const answer = await response.json().catch(() => null); // a gateway's own errors need not be JSON
  if (response.ok && answer) return answer;
  if (response.status === 403) {
    sessionStorage.apiKey = prompt("This service asks for an API key:") ?? "";
    if (sessionStorage.apiKey) return answerOf(url, body);
  }
  if (response.status === 503) throw new Problem(NO_MODEL, [], answer?.detail);
  const sentence = answer?.detail ?? `The service could not answer (status ${response.status}). Please try again.`;
  throw new Problem(sentence, answer?.errors);
}

/** Fetch, and once more where the network failed: no route does more for being asked twice. */
async function reach(url, options, again = true) {
  try {
    return await fetch(url, { ...options, signal: AbortSignal.timeout(PATIENCE_MS) });
  } catch (fault) {
    if (fault.name === "TimeoutError") throw new Problem("The service took too long to answer. Please try again.");
    if (!again) throw new Problem("The service cannot be reached. Check the connection and try again.");
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    return reach(url, options, false);
  }
}
