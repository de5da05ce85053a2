// Strokes to the 64 numbers that the model wants: 8 x 8, each 0 (paper) to 16 (ink). The model has learnt digits that fill
// their frame from top to bottom and are drawn with a pen of one thickness, so the strokes are moved and scaled to the frame
// first, and only then drawn. That makes size, place and pen of the drawing not matter.
const CELLS = 8;
const MOST_INK = 16;
/** Pixels per cell while the ink is measured. */
const DETAIL = 8;
const SIDE = CELLS * DETAIL;
const PEN = 1.45 * DETAIL;

const measure = document.createElement('canvas');
measure.width = SIDE;
measure.height = SIDE;
const ink = measure.getContext('2d', { willReadFrequently: true });

/** Strokes are lists of { x, y } in any unit. */
export function pixelsOf(strokes) {
  const points = strokes.flat();
  const left = Math.min(...points.map(({ x }) => x));
  const right = Math.max(...points.map(({ x }) => x));
  const top = Math.min(...points.map(({ y }) => y));
  const bottom = Math.max(...points.map(({ y }) => y));
  const room = SIDE - PEN;
  // A dot has no size of its own.
  const scale = room / Math.max(right - left, bottom - top, 1e-6);
  const place = ({ x, y }) => [
    SIDE / 2 + (x - (left + right) / 2) * scale,
    SIDE / 2 + (y - (top + bottom) / 2) * scale,
  ];

  ink.clearRect(0, 0, SIDE, SIDE);
  ink.lineCap = 'round';
  ink.lineJoin = 'round';
  ink.lineWidth = PEN;
  for (const stroke of strokes) {
    ink.beginPath();
    ink.moveTo(...place(stroke[0]));
    for (const point of stroke) ink.lineTo(...place(point));
    ink.stroke();
  }
  return cellsOf(ink.getImageData(0, 0, SIDE, SIDE).data);
}

function cellsOf(rgba) {
  const sums = new Float32Array(CELLS * CELLS);
  for (let y = 0; y < SIDE; y += 1) {
    for (let x = 0; x < SIDE; x += 1) {
      sums[Math.floor(y / DETAIL) * CELLS + Math.floor(x / DETAIL)] += rgba[4 * (y * SIDE + x) + 3] / 255;
    }
  }
  return sums.map((sum) => Math.round((sum / (DETAIL * DETAIL)) * MOST_INK));
}

/** Shows the 64 numbers on a canvas of 8 x 8 pixels. */
export function showPixels(canvas, pixels) {
  const image = new ImageData(CELLS, CELLS);
  pixels.forEach((value, index) => {
    image.data.set([128, 128, 128, Math.round((value / MOST_INK) * 255)], 4 * index);
  });
  canvas.getContext('2d').putImageData(image, 0, 0);
}
