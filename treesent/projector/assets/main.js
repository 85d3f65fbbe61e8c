// Read the data, build the page, show the view of the link.

async function boot() {
  const header = JSON.parse($("#header").textContent);
  const { count } = header;
  const readLayout = async (layout) => ({
    ...layout,
    places: await readPlaces(layout.places, layout.dimensions, count),
    after: layout.after && (await readPlaces(layout.after, layout.dimensions, count)),
  });
  const [names, order, layouts, columns] = await Promise.all([
    readNames(header.names),
    readBlock(header.order).then((data) => new Int32Array(data)),
    Promise.all(header.layouts.map(readLayout)),
    Promise.all(header.columns.map(readColumn)),
  ]);
  const app = new App(header, names, order, layouts, columns);
  app.theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  app.still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  app.screen = { xs: new Float32Array(count), ys: new Float32Array(count), depths: new Float32Array(count) };
  app.order = new Int32Array(count);
  app.grid = new ScreenGrid();
  describe(app);
  makeViews(app);
  makeLegend(app);
  makeSearch(app);
  makePointer(app);
  makeKeys(app);
  app.setTool("pan");
  app.setTheme(app.theme);
  const telling = [app.hasAfter ? "moved" : "", "sentiment", "cluster"];
  app.setColour(telling.find((name) => columns.some((column) => column.name === name)) ?? columns[0]?.name ?? "");
  app.resize();
  app.setView(app.view.key, true);
  $("#phase").hidden = !app.hasAfter;
  document.body.classList.add("ready");
  showLegend(app); // once more, now that the histogram has a width
  app.draw();
  const opened = performance.now();
  window.addEventListener("resize", () => app.resize());

  // The vectors are most of the file, and the first picture does not need them.
  await new Promise((done) => setTimeout(done, 0));
  app.tables.before = await readVectors(header.vectors, count);
  if (header.after) app.tables.after = await readVectors(header.after, count);
  if (location.hash.length > 1) restore(app, location.hash);
  else if (app.view.key === "axes") app.setView("axes");
  else if (app.focus?.kind === "point") app.select(app.focus.index, false);
  window.addEventListener("hashchange", () => location.hash.slice(1) !== app.link && restore(app, location.hash));
  app.times = { opened, complete: performance.now() };
  return app;
}

function describe(app) {
  const { header, count } = app;
  $("#about").textContent = `${count.toLocaleString("en")} ${header.kind} · ${header.width} dimensions`;
  app.canvas.setAttribute("aria-label", `Map of ${count} ${header.kind}. Search with slash; arrow keys move.`);
  const kept = `Nearest ${header.kind} are found by the cosine of the original vectors, kept in this file as rounded whole numbers: ${(100 * header.vectors.overlap).toFixed(1)}% of the ten nearest of a sample are those of the exact vectors.`;
  const notes = app.layouts.map(({ title, note }) => `${title}: ${note}`);
  $("#help-notes").textContent = [header.source, ...notes, kept].filter(Boolean).join("\n");
}

/** For the console and for tests: the map as an object. `await projector.ready` first. */
const ready = boot();
ready.catch((error) => {
  $("#loading").textContent = `This map cannot be shown: ${error.message}. It needs a browser of 2023 or later.`;
});
window.projector = {
  ready,
  async neighbours(name, k = 10, table = "before") {
    const app = await ready;
    return app.neighboursOf(app.find(name), table, k).map(({ index, cosine }) => [app.names[index], cosine]);
  },
  async formula(text, k = 10, table = "before") {
    const app = await ready;
    return app.answer(text, k, table).near.map(({ index, cosine }) => [app.names[index], cosine]);
  },
};
