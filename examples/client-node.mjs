// The client in Node: asks for handwritten digits that the model has not learnt from, all at once, and counts right answers.
// Start a server first:  npm start        (or: sluice serve examples/models)
// Usage: node examples/client-node.mjs [address]        by default ws://127.0.0.1:8000
import { readFileSync } from 'node:fs';
import { connect } from 'sluice/client';

const address = process.argv[2] ?? 'ws://127.0.0.1:8000';
const { pixels, labels } = JSON.parse(readFileSync(new URL('held-out-digits.json', import.meta.url), 'utf8'));

const client = await connect(address);
for (const { name, version, inputs } of client.models.values()) {
  console.log(`serves ${name} version ${version}: ${inputs.map((input) => `${input.name} ${input.datatype}[${input.shape}]`)}`);
}

// One request per digit. What goes beyond the server's credit waits in the client.
const beganMs = performance.now();
const answers = await Promise.all(
  pixels.map((digit) => client.infer('digits', { pixels: Float32Array.from(digit) }, { outputs: ['label'] })),
);
const tookMs = performance.now() - beganMs;
const right = answers.filter(({ outputs }, index) => Number(outputs.label.data[0]) === labels[index]).length;
console.log(`${right} of ${labels.length} digits are right, in ${tookMs.toFixed(0)} ms`);

// The same digits as rows of one request.
const all = Float32Array.from(pixels.slice(0, 64).flat());
const batch = await client.infer('digits', { pixels: all }, { times: true });
console.log(`64 rows in one request: ${batch.outputs.label.data.length} answers, stages ${JSON.stringify(batch.times)}`);

// A wrong request says what was expected.
await client.infer('digits', { pixels: new Float32Array(63) }, { shape: [1, 63] }).catch(({ code, message }) => {
  console.log(`refused with ${code}: ${message}`);
});
client.close();
