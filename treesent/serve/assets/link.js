// The view as a link: the text and the phrase that is looked at. What follows # is not sent to the server.

function linkText({ text, sentence, node, theme }) {
  const out = new URLSearchParams();
  if (text) out.set("text", text);
  if (sentence > 0) out.set("sentence", sentence);
  if (node >= 0) out.set("node", node);
  if (theme === "dark") out.set("theme", theme);
  return out.toString();
}

function readLink(hash) {
  const from = new URLSearchParams(hash.replace(/^#/, ""));
  const whole = (name, otherwise) => (/^\d{1,6}$/.test(from.get(name) ?? "") ? Number(from.get(name)) : otherwise);
  return { text: from.get("text") ?? "", sentence: whole("sentence", 0), node: whole("node", -1), theme: from.get("theme") };
}
