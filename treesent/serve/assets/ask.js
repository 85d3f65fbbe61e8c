// Questions to the server.

/** What the server refuses, in its own words. */
class Refused extends Error {
  constructor(status, { message = "the server cannot be reached", place = "" } = {}, later = 0) {
    super(place && place !== "text" ? `${place}: ${message}` : message);
    Object.assign(this, { status, later });
  }
}

const tokenKey = "treesent.token";
const remember = (token) => sessionStorage.setItem(tokenKey, token);

/** Send a question; the answer of one that is no longer wanted is dropped. */
async function ask(path, body, signal) {
  const headers = {};
  const token = sessionStorage.getItem(tokenKey);
  if (token) headers.Authorization = `Bearer ${token}`;
  if (body) headers["Content-Type"] = "application/json";
  const method = body ? "POST" : "GET";
  let answer;
  try {
    answer = await fetch(path, { method, headers, signal, body: body && JSON.stringify(body) });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0);
  }
  if (answer.ok) return answer;
  const told = await answer.json().catch(() => ({}));
  throw new Refused(answer.status, told.error, Number(answer.headers.get("Retry-After") ?? 0));
}

/** Let the reader type a token. */
function askForToken() {
  return new Promise((done) => {
    const dialog = $("#key");
    dialog.addEventListener("close", () => done(remember($("#token").value)), { once: true });
    if (!dialog.open) dialog.showModal();
  });
}
