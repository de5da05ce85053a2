/** Faults that a request to add_sub may ask of a server over the faulty addon; see test/native/faulty/faulty_runner.h. */

/** What the marked request must be answered with; where that is 200, its numbers are right all the same. */
const FAULTS = [
  { mark: -1001, status: 500 },
  { mark: -1002, status: 500 },
  { mark: -1003, status: 500 },
  { mark: -1004, status: 200, mostMs: 20 },
  { mark: -1005, status: 500 },
  { mark: -1007, status: 500 },
];

/** Marks a random row of the request, and works out its answer anew. */
export function markFault({ inputs, outputs }, { below }) {
  const fault = FAULTS[below(FAULTS.length)];
  const [{ elements: a, shape }, { elements: b }] = inputs;
  const at = below(shape[0]) * shape[1];
  a[at] = fault.mark;
  if (fault.mostMs !== undefined) a[at + 1] = below(fault.mostMs);
  for (const i of [at, at + 1]) {
    outputs[0].elements[i] = a[i] + b[i];
    outputs[1].elements[i] = a[i] - b[i];
  }
  return fault;
}
