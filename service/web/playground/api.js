// What is asked of the service: JSON, streams of events, and failures as sentences for people.

export const base = new URL(".", document.baseURI); // below whatever path a proxy serves it
export const address = (path) => new URL(path, base).href;
let key = "";
export const setKey = (value) => { key = value.trim(); };
export const hasKey = () => key !== "";

export class Failure extends Error {
  constructor(sentence, { status = 0, retry = null } = {}) {
    super(sentence);
    this.status = status;
    this.retry = retry; // seconds, or null
  }
}

const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
const again = (seconds) => (seconds ? ` It asks to try again in ${seconds} second${seconds === 1 ? "" : "s"}.` : "");

/** A sentence for a problem document (RFC 9457). */
export function explain(problem, retry) {
  const { status, kind, detail = "", errors = [], request_id: id } = problem;
  const fields = errors.map((error) => `${error.path}: ${error.message}`).join("; ");
  const said = sentence(detail || problem.title || `status ${status}`);
  if (status === 401) return hasKey() ? "The service does not know this key." : "This service asks for a key.";
  if (kind === "overloaded") return `The service has more to do than it can.${again(retry)}`;
  if (kind === "rate_limited") return `You have asked for more than your share for now.${again(retry)}`;
  if (status === 503) return `The service is starting, or about to stop.${again(retry)}`;
  if (status === 504) return "The service could not have answered in time, so it did not begin.";
  if (status === 413) return "This is more text than the service takes at once.";
  if (status >= 500) return `Something went wrong in the service. Its log says more under the request ${id}.`;
  if (status === 422 && fields && !detail.includes(errors[0].message)) return `The service cannot answer this: ${sentence(fields)}`;
  return `The service cannot answer this: ${said}`;
}

const headers = () => ({ "Content-Type": "application/json", ...(key && { Authorization: `Bearer ${key}` }) });

async function checked(answer) {
  if (answer.ok) return answer;
  const retry = Number(answer.headers.get("Retry-After")) || null;
  let problem = { status: answer.status, title: answer.statusText };
  try { problem = { ...problem, ...(await answer.json()) }; } catch { /* a proxy's page, say: the status is all there is */ }
  throw new Failure(explain(problem, retry), { status: answer.status, retry });
}

async function send(path, options) {
  let answer;
  try {
    answer = await fetch(address(path), { headers: headers(), ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Failure("The service cannot be reached. Is it running, and are you online?");
  }
  return checked(answer);
}

export const get = async (path) => (await send(path, {})).json();
export const post = (path, body, signal) => send(path, { method: "POST", body: JSON.stringify(body), signal });

/** The stages of a Server-Timing header: [["queue", 0.1], …] in milliseconds. */
export const timing = (answer) =>
  [...(answer.headers.get("Server-Timing") ?? "").matchAll(/(\w+);dur=([\d.]+)/g)].map(([, name, value]) => [name, Number(value)]);

/** Yield {event, data} of a stream of server-sent events. Throws a Failure where the stream says that it failed. */
export async function* events(answer) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    let part;
    try { part = await reader.read(); } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Failure("The connection broke before the answer was complete.");
    }
    if (part.done) return;
    const found = (rest + part.value).split("\n\n");
    rest = found.pop();
    for (const text of found) {
      const event = /^event: (.*)$/m.exec(text)?.[1], data = /^data: (.*)$/m.exec(text)?.[1];
      if (!event || !data) continue;
      const content = JSON.parse(data);
      if (event === "error") throw new Failure(explain(content, null), { status: content.status });
      yield { event, data: content };
    }
  }
}
