// The drawn tree: the server's picture, with marks that answer to pointer and keys.

class Tree {
  /** @param choose told of each node that the reader comes to */
  constructor(place, choose) {
    Object.assign(this, { place, choose, marks: [], phrases: [], node: -1, zoom: 0, source: "" });
    place.addEventListener("pointerover", (event) => this.#at(event, (node) => this.choose(node)));
    place.addEventListener("click", (event) => this.#at(event, (node) => this.choose(node, true)));
    place.addEventListener("focusin", (event) => this.#at(event, (node) => this.choose(node)));
    place.addEventListener("keydown", (event) => this.#key(event));
    new ResizeObserver(() => this.resize()).observe(place);
  }

  /**
   * Show a picture of the phrases, which are in its order: children before parents, the sentence last.
   * @param name gives a phrase's name for screen readers
   * @param beside whether the words stand beside the tree
   */
  show(source, phrases, name, beside) {
    const had = this.place.contains(document.activeElement);
    const svg = document.importNode(new DOMParser().parseFromString(source, "image/svg+xml").documentElement, true);
    svg.setAttribute("role", "tree");
    Object.assign(this, { source, beside });
    this.phrases = phrases;
    this.parents = phrases.map(() => -1);
    phrases.forEach(({ left, right }, node) => {
      if (left !== null) this.parents[left] = this.parents[right] = node;
    });
    this.size = [svg.width.baseVal.value, svg.height.baseVal.value];
    this.marks = [...svg.children].slice(1);
    this.marks.forEach((mark, node) => {
      mark.setAttribute("role", "treeitem");
      mark.setAttribute("tabindex", "-1");
      mark.setAttribute("aria-level", String(this.#above(node).length + 1));
      mark.setAttribute("aria-label", name(phrases[node]));
      mark.dataset.node = node;
    });
    this.place.replaceChildren(svg);
    this.resize();
    this.place.scrollTo(beside ? this.place.scrollWidth : 0, 0); // where the words are
    this.node = -1;
    return had;
  }

  #above(node) {
    const found = [];
    for (let at = this.parents[node]; at >= 0; at = this.parents[at]) found.push(at);
    return found;
  }

  #at(event, then) {
    const mark = event.target.closest?.("g[data-node]");
    if (mark) then(Number(mark.dataset.node));
  }

  /** Mark a node as the one that is looked at. */
  select(node, focus = false) {
    this.marks[this.node]?.setAttribute("tabindex", "-1");
    this.node = node;
    const first = node - 2 * (this.phrases[node].end_word - this.phrases[node].start_word) + 2;
    this.marks.forEach((mark, at) => {
      mark.classList.toggle("on", at === node);
      mark.classList.toggle("under", at >= first && at < node);
      mark.setAttribute("aria-selected", String(at === node));
    });
    const mark = this.marks[node];
    mark.setAttribute("tabindex", "0");
    if (!focus) return;
    mark.focus({ preventScroll: true });
    mark.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  /** Where a key leads from the chosen node. */
  step(key) {
    const { node, phrases, parents } = this;
    if (key === "ArrowUp") return parents[node];
    if (key === "ArrowDown") return phrases[node].left ?? -1;
    if (key === "Home") return 0;
    if (key === "End") return phrases.length - 1;
    if (key !== "ArrowLeft" && key !== "ArrowRight") return -1;
    const [here, there] = key === "ArrowRight" ? ["left", "right"] : ["right", "left"];
    let depth = 0;
    for (let at = node; parents[at] >= 0; at = parents[at], depth++) {
      if (phrases[parents[at]][here] !== at) continue;
      let next = phrases[parents[at]][there]; // beside this one, and as deep if the tree goes so far
      for (; depth > 0 && phrases[next].left !== null; depth--) next = phrases[next][here];
      return next;
    }
    return -1;
  }

  #key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const next = this.step(event.key);
    if (next < 0) return;
    event.preventDefault();
    this.choose(next, true);
  }

  /** Draw at a scale; 0 for as large as fits, within reason. */
  resize(zoom = this.zoom) {
    this.zoom = zoom;
    const svg = this.place.firstElementChild;
    if (!svg) return;
    const room = this.place.clientWidth - 2;
    const scale = zoom || Math.max(0.75, Math.min(1.35, room / this.size[0]));
    this.scale = scale;
    svg.setAttribute("width", String(Math.round(this.size[0] * scale)));
    svg.setAttribute("height", String(Math.round(this.size[1] * scale)));
  }
}
