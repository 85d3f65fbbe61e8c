// Read the data that stands in the page as text: seven bits a character, then raw deflate.
// The writer is treesent/projector/codec.py.

const UNSAFE = [0, 7, 8, 10, 11, 12, 13, 26, 27, 38, 60, 127];

/** The bytes of a text; a character above 127 holds an unsafe value and the value after it. */
function bytesOf(text, size) {
  const out = new Uint8Array(size);
  let held = 0;
  let bits = 0;
  let at = 0;
  for (let i = 0; i < text.length && at < size; i++) {
    const code = text.charCodeAt(i);
    if (code > 127) {
      held = (held << 7) | UNSAFE[(code >> 7) - 1];
      bits += 7;
      if (bits >= 8) out[at++] = held >> (bits -= 8);
    }
    held = ((held << 7) | (code & 127)) & 0xffff;
    bits += 7;
    if (bits >= 8) out[at++] = held >> (bits -= 8);
  }
  return out;
}

/** The content of the block of that name. */
async function readBlock(name) {
  const element = document.getElementById(`block-${name}`);
  const packed = bytesOf(element.textContent, Number(element.dataset.packed));
  element.remove(); // the text is twice as large as the bytes, and nobody needs it again
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Response(stream).arrayBuffer();
}

async function readNames(block) {
  return JSON.parse(new TextDecoder().decode(await readBlock(block)));
}

/** Three floats a point from 16-bit whole numbers, an axis after the other; two axes get a zero third. */
async function readPlaces(block, dimensions, count) {
  const whole = new Int16Array(await readBlock(block));
  const out = new Float32Array(3 * count);
  for (let axis = 0; axis < dimensions; axis++) {
    const start = axis * count;
    for (let i = 0; i < count; i++) out[3 * i + axis] = whole[start + i] / 32767;
  }
  return out;
}

async function readColumn(column) {
  const data = await readBlock(column.values);
  return { ...column, values: column.categories.length ? new Int16Array(data) : new Float32Array(data) };
}

async function readVectors(part, count) {
  const columns = new Int8Array(await readBlock(part.columns));
  return new Vectors(columns, count, part.component, part.scale);
}
