// Everything by the keyboard, and the buttons that do the same.

function makeKeys(app) {
  const typing = (target) => /^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName) && target.type !== "range";
  const does = {
    "/": () => $("#query").focus(),
    "+": () => app.zoomBy(1.5),
    "=": () => app.zoomBy(1.5),
    "-": () => app.zoomBy(1 / 1.5),
    0: () => app.fit(),
    a: () => app.setView("axes"),
    b: () => app.setTool("box"),
    c: () => app.copyLink(),
    d: () => app.setTheme(app.theme === "dark" ? "light" : "dark"),
    l: () => app.setTool("lasso"),
    m: () => app.walk(-1),
    n: () => app.walk(1),
    p: () => app.hasAfter && app.play(),
    s: () => savePng(app),
    v: () => app.setTool("pan"),
    "?": () => $("#help").showModal(),
    Escape: () => app.clear(),
  };
  const arrows = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || $("#help").open) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (arrows[key] && event.target.type !== "range" && !event.target.closest("#views")) {
      event.preventDefault();
      const [dx, dy] = arrows[key];
      if (app.view.solid && !event.shiftKey) app.camera.rotate(-24 * dx, -24 * dy);
      else app.camera.pan(70 * dx, 70 * dy);
      return app.invalidate("points");
    }
    if (key === "Enter" && event.target === app.canvas && app.near[app.step]) return app.select(app.near[app.step].index, true);
    if (/^[1-9]$/.test(key) && app.views[key - 1]) return app.setView(app.views[key - 1].key);
    if (does[key]) {
      event.preventDefault();
      does[key]();
    }
  });

  $("#tools").addEventListener("click", (event) => {
    const { tool, do: job } = event.target.closest("button")?.dataset ?? {};
    if (tool) app.setTool(tool);
    const jobs = { in: "+", out: "-", fit: 0, png: "s", link: "c", theme: "d", help: "?" };
    if (job) does[jobs[job]]();
  });
  $("#play").addEventListener("click", () => app.play());
  $("#time").addEventListener("input", (event) => app.setPhase(Number(event.target.value)));
  $("#axes").addEventListener("submit", (event) => {
    event.preventDefault();
    app.setAxes($("#axis-x").value.trim(), $("#axis-y").value.trim());
  });
}

/** The layouts as one group of radio buttons: arrow keys move, as in any such group. */
function makeViews(app) {
  const nav = $("#views");
  for (const view of app.views) {
    nav.append(el("button", { type: "button", role: "radio", "data-key": view.key, title: view.note ?? "", onclick: () => app.setView(view.key) }, view.title));
  }
  nav.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const at = app.views.indexOf(app.view);
    const next = app.views[(at + step + app.views.length) % app.views.length];
    app.setView(next.key);
    nav.querySelector(`[data-key="${next.key}"]`).focus();
  });
}

function showViews(app) {
  for (const button of $("#views").children) {
    const on = button.dataset.key === app.view.key;
    button.setAttribute("aria-checked", String(on));
    button.tabIndex = on ? 0 : -1;
  }
  $("#axes").hidden = app.view.key !== "axes";
}
