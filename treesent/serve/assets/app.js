// The page: a text, its scores, and the phrase that is looked at.

const PAUSE = 120; // milliseconds without a key, after which a text is scored
const EXAMPLES = [
  "The plot is thin, but the acting is superb.",
  "Despite its flaws, hard to dislike.",
  "Not bad at all. I would not say that I loved it, though.",
  "Great food 😍 but the waiter was sooo rude!!!",
];

class App {
  constructor() {
    Object.assign(this, { text: "", row: null, sentence: 0, node: -1, labels: [], direction: "", theme: "light" });
    this.tree = new Tree($("#tree"), (node, focus) => this.choose(node, focus));
    this.corrections = new Corrections((...question) => this.#answer(...question));
    this.asked = new AbortController();
    this.drawn = Promise.resolve();
    $("#text").addEventListener("input", () => this.type($("#text").value));
    $("#theme").addEventListener("click", () => this.setTheme(this.theme === "dark" ? "light" : "dark"));
    $("#ask-help").addEventListener("click", () => $("#help").showModal());
    $("#tree").addEventListener("keydown", (event) => this.#correctByKey(event));
    $("#tools").addEventListener("click", (event) => this.#do(event.target.dataset.do));
    $("#examples").append(
      ...EXAMPLES.map((text) =>
        el("button", { type: "button", textContent: text, title: text, onclick: () => this.setText(text) }),
      ),
    );
  }

  /** Read the model's card and the link. */
  async start() {
    const { theme, ...view } = readLink(location.hash);
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    this.setTheme(theme ?? (dark ? "dark" : "light"));
    const model = await this.#answer("v1/model").then((answer) => answer?.json());
    if (!model) return;
    this.labels = model.labels;
    this.corrections.wanted = model.corrections;
    $("#about").textContent = `${model.model.lang}_${model.model.name} ${model.model.version ?? ""}`;
    if (view.text) await this.setText(view.text, view.sentence, view.node);
    addEventListener("hashchange", () => {
      const { text, sentence, node } = readLink(location.hash);
      if (text !== this.text || sentence !== this.sentence || node !== this.node) this.setText(text, sentence, node);
    });
  }

  /** Ask; a refusal is told, and a token asked for where one is needed. */
  async #answer(path, body, signal) {
    for (;;) {
      try {
        const answer = await ask(path, body, signal);
        $("#fault").textContent = "";
        return answer;
      } catch (error) {
        if (error.name === "AbortError") return null;
        if (error.status === 401) await askForToken();
        else if (error.status === 429 && !signal?.aborted) await new Promise((done) => setTimeout(done, 1000 * error.later));
        else {
          $("#fault").textContent = error.message;
          return null;
        }
        if (signal?.aborted) return null;
      }
    }
  }

  type(text) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.setText(text), PAUSE);
  }

  /** Score a text and show a phrase of it. */
  async setText(text, sentence = 0, node = -1) {
    clearTimeout(this.timer);
    if ($("#text").value !== text) $("#text").value = text;
    this.asked.abort();
    const { signal } = (this.asked = new AbortController());
    this.text = text;
    this.characters = [...text]; // places in the scores count characters, not halves of pairs
    const answer = text.trim() ? await this.#answer("v1/score", { text, nodes: "all" }, signal) : null;
    const row = await answer?.json().catch(() => null);
    if (signal.aborted) return;
    this.row = row?.label ? row : null;
    this.#showScores();
    if (!this.row) {
      Object.assign(this, { sentence: 0, node: -1 });
      return this.#remember();
    }
    await this.setSentence(Math.min(sentence, this.row.sentences.length - 1), node);
  }

  /** Draw a sentence. */
  async setSentence(sentence, node = -1, focus = false) {
    this.sentence = sentence;
    [...$("#sentences").children].forEach((item, k) => item.firstChild.setAttribute("aria-current", String(k === sentence)));
    const { signal } = this.asked;
    const orientation = this.direction || ($("main").clientWidth < 700 ? "right" : "auto");
    $("#tree").classList.add("stale");
    const answer = await this.#answer("v1/tree.svg", { text: this.text, sentence, orientation }, signal);
    const picture = await answer?.text().catch(() => null);
    this.corrections.labels = {};
    await this.corrections.of(this.text, sentence, {}, signal);
    if (signal.aborted || !picture || sentence !== this.sentence) return;
    $("#tree").classList.remove("stale");
    const phrases = countWords(this.row.sentences[sentence].phrases);
    const beside = orientation === "right" || (orientation === "auto" && phrases.at(-1).end_word > 16);
    const had = this.tree.show(picture, phrases, (phrase) => `${this.words(phrase)}: ${phrase.label}`, beside);
    this.corrections.mark(this.tree.marks);
    this.choose(node >= 0 && node < phrases.length ? node : phrases.length - 1, focus || had);
  }

  words({ start, end }) {
    return this.characters.slice(start, end).join("");
  }

  #showScores() {
    for (const name of ["#result", "#picture", "#details"]) $(name).hidden = !this.row;
    if (!this.row) return;
    const { label, confidence, unknown, sentences } = this.row;
    const about = `confidence ${Math.round(100 * confidence)}%${unknown > 0 ? `, ${Math.round(100 * unknown)}% unknown words` : ""}`;
    $("#whole").replaceChildren(scoreLine(this.row), el("p", { textContent: about }));
    say(`${label}, ${about}`);
    $("#sentences").replaceChildren(
      ...sentences.map((sentence, k) =>
        el("li", {}, el("button", { type: "button", onclick: () => this.setSentence(k) }, dot(colourOf(sentence.polarity)), el("span", { textContent: sentence.text }))),
      ),
    );
  }

  /** Look at a phrase. */
  choose(node, focus = false) {
    const phrase = this.tree.phrases[node];
    if (!phrase) return;
    this.node = node;
    this.tree.select(node, focus);
    $("#details").replaceChildren(
      el("h2", { textContent: phrase.left === null ? "Word" : node === this.tree.phrases.length - 1 ? "Sentence" : "Phrase" }),
      el(
        "div",
        {},
        el("p", { className: "phrase", textContent: this.words(phrase) }),
        scoreLine(phrase),
        this.corrections.wanted ? this.corrections.controls(node, this.labels, (label) => this.correct(node, label)) : null,
      ),
      bars(this.labels, phrase.probs, phrase.label),
    );
    this.#remember();
  }

  /** Say what a phrase is; null takes that back. */
  async correct(node, label) {
    const { text, sentence } = this;
    const kept = await this.corrections.of(text, sentence, { [node]: label }, this.asked.signal);
    if (text !== this.text || sentence !== this.sentence || !kept) return;
    toast(label === null ? "Taken back" : `Kept: ${label}`);
    this.corrections.mark(this.tree.marks);
    if (node === this.node) this.choose(node);
  }

  #correctByKey({ key, altKey, ctrlKey, metaKey }) {
    if (!this.corrections.wanted || altKey || ctrlKey || metaKey) return;
    if (key === "Delete" || key === "Backspace") this.correct(this.node, null);
    else if (/^[1-9]$/.test(key) && this.labels[key - 1]) this.correct(this.node, this.labels[key - 1]);
  }

  /** Note the view in the address, a moment later: browsers allow few changes of it. */
  #remember() {
    clearTimeout(this.noting);
    this.noting = setTimeout(() => this.note(), 200);
  }

  note() {
    clearTimeout(this.noting);
    const whole = this.node === this.tree.phrases.length - 1;
    history.replaceState(null, "", `#${linkText({ ...this, node: whole ? -1 : this.node })}`);
  }

  setTheme(theme) {
    this.theme = document.documentElement.dataset.theme = theme === "dark" ? "dark" : "light";
    this.#remember();
  }

  #do(what) {
    const { tree } = this;
    if (what === "turn") {
      this.direction = tree.beside ? "down" : "right";
      this.drawn = this.setSentence(this.sentence, this.node);
    }
    if (what === "larger" || what === "smaller") tree.resize(Math.min(4, Math.max(0.2, tree.scale * (what === "larger" ? 1.25 : 0.8))));
    if (what === "fit") tree.resize(0);
    if (what === "svg") download(new Blob([tree.source], { type: "image/svg+xml" }), "tree.svg");
    if (what === "json") download(new Blob([JSON.stringify(this.row, null, 1)], { type: "application/json" }), "scores.json");
    if (what === "link") {
      this.note();
      navigator.clipboard.writeText(location.href).then(() => toast("Link copied"), () => toast("Copy the address of this page"));
    }
  }
}

/** The phrases with the words that each covers. */
function countWords(phrases) {
  const counted = [];
  let words = 0;
  for (const phrase of phrases) {
    const { left, right } = phrase;
    const start_word = left === null ? words++ : counted[left].start_word;
    counted.push({ ...phrase, start_word, end_word: left === null ? words : counted[right].end_word });
  }
  return counted;
}

window.treesent = new App();
window.treesent.ready = window.treesent.start();
