// Corrections: the reader says what a phrase is, and the server keeps it.

class Corrections {
  /** @param send asks the server; gives null if it refuses */
  constructor(send) {
    Object.assign(this, { send, wanted: false, labels: {} });
  }

  /** What is kept of a sentence; without changes, only ask. */
  async of(text, sentence, changes, signal) {
    if (!this.wanted) return;
    const answer = await this.send("v1/corrections", { text, sentence, labels: changes }, signal);
    const told = await answer?.json().catch(() => null);
    if (told) this.labels = told.labels;
    return Boolean(told);
  }

  /** Mark the phrases that are corrected. */
  mark(marks) {
    marks.forEach((mark, node) => mark.classList.toggle("kept", node in this.labels));
  }

  /** A button for each class; the one that is kept is pressed, and takes itself back. */
  controls(node, labels, choose) {
    const row = el("div", { id: "correct", role: "group", "aria-label": "Correct the label" }, "Correct to");
    labels.forEach((label, k) => {
      const pressed = this.labels[node] === label;
      const place = labels.length > 1 ? (2 * k) / (labels.length - 1) - 1 : 0;
      const button = el("button", { type: "button", title: `Key ${k + 1}`, onclick: () => choose(pressed ? null : label) });
      button.setAttribute("aria-pressed", String(pressed));
      button.append(dot(colourOf(place)), label);
      row.append(button);
    });
    return row;
  }
}
