/**
 * Asks a running server about the 360 held-out digits and counts what it gets right, by the version that answered.
 *   node examples/score-digits.mjs [URL] [version or alias]
 */
import { readFileSync } from 'node:fs';

const [url = 'http://127.0.0.1:8000', version] = process.argv.slice(2);
const { pixels, labels } = JSON.parse(readFileSync(new URL('held-out-digits.json', import.meta.url), 'utf8'));
const path = version === undefined ? '/v2/models/digits/infer' : `/v2/models/digits/versions/${version}/infer`;
const counts = new Map();
for (const [index, image] of pixels.entries()) {
  const response = await fetch(url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'sluice-routing-key': `writer-${index}` },
    body: JSON.stringify({ inputs: [{ name: 'pixels', datatype: 'FP32', shape: [1, 64], data: image }] }),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(`${path}: ${response.status} ${answer.error}`);
  const count = counts.get(answer.model_version) ?? { asked: 0, right: 0 };
  count.asked += 1;
  if (answer.outputs.find(({ name }) => name === 'label').data[0] === labels[index]) count.right += 1;
  counts.set(answer.model_version, count);
}
for (const [answered, { asked, right }] of [...counts].sort())
  console.log(`version ${answered}: ${right} of ${asked} right, ${((100 * right) / asked).toFixed(1)} %`);
