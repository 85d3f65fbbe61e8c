// What leaves the page: a table of the selection, a picture of the view.

/** The selected points with their columns and their places in every layout. */
function csvOf(app, indices) {
  const quote = (value) => {
    const text = value === null || value === undefined || Number.isNaN(value) ? "" : String(value);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const axes = app.layouts.flatMap((layout) =>
    [..."xyz"].slice(0, layout.dimensions).map((axis, k) => [`${layout.key}_${axis}`, layout, k]),
  );
  const head = ["name", ...app.columns.map((column) => column.name), ...axes.map(([name]) => name)];
  const lines = indices.map((i) => [
    app.names[i],
    ...app.columns.map((column) => (column.categories.length ? column.categories[column.values[i]] : column.values[i])),
    ...axes.map(([, layout, k]) => layout.places[3 * i + k].toFixed(4)),
  ]);
  return [head, ...lines].map((line) => line.map(quote).join(",")).join("\r\n") + "\r\n";
}

function saveCsv(app, indices) {
  download(new Blob([csvOf(app, indices)], { type: "text/csv;charset=utf-8" }), `${app.fileName}.csv`);
}

async function savePng(app) {
  app.draw(); // without the hover card and with every label in
  const blob = await new Promise((done) => app.canvas.toBlob(done, "image/png"));
  download(blob, `${app.fileName}.png`);
}
