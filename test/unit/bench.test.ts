/** What a bench concludes from numbers: percentiles of merged histograms, gates, paired comparison, recovery, plots. */
import t from 'tap';
import { comparePairs, compareSeries, failedChanges, seriesOf } from '../../src/bench/compare.js';
import { parseGate } from '../../src/bench/gates.js';
import { Histogram } from '../../src/bench/histogram.js';
import { judgeTrial, recoveryS } from '../../src/bench/modes.js';
import type { Point } from '../../src/bench/result.js';
import { escapeText, lineChart, shortNumber } from '../../src/bench/svg.js';
import { drawTensor, SeededRandom } from '../../src/bench/tensors.js';

/** As the generator writes them, for values in nanoseconds. */
function stepsOf(values: readonly number[]): { stepsNs: Array<[number, number]> } {
  const counts = new Map<number, number>();
  for (const value of values) {
    const width = value < 2048 ? 1 : 2 ** (Math.floor(Math.log2(value)) - 10);
    const edge = Math.floor(value / width) * width;
    counts.set(edge, (counts.get(edge) ?? 0) + 1);
  }
  return { stepsNs: [...counts].sort(([a], [b]) => a - b) };
}

t.test('percentiles of a sum are those of all values, within the width of a step', (test) => {
  const random = new SeededRandom(7);
  const values = Array.from({ length: 30_000 }, () => 1000 * Math.exp(6 * random.next()));
  const parts = [values.slice(0, 100), values.slice(100, 20_000), values.slice(20_000)].map(stepsOf);
  const sum = Histogram.of(...parts);
  const sorted = [...values].sort((a, b) => a - b);
  test.equal(sum.count, values.length);
  for (const percent of [50, 90, 99, 99.9]) {
    const exactUs = (sorted[Math.ceil((values.length * percent) / 100) - 1] ?? 0) / 1000;
    const { us, lowUs, highUs } = sum.percentile(percent);
    test.ok(Math.abs(us / exactUs - 1) < 0.001, `p${percent}: ${us} beside ${exactUs}`);
    test.ok(lowUs < us && us < (highUs ?? 0), 'inside its interval');
  }
  test.end();
});

t.test('the interval of a percentile holds the true one about 95 times of 100', (test) => {
  const random = new SeededRandom(3);
  // Uniform from 0 to 1 ms: the true p99 is 990 us.
  const isInside = Array.from({ length: 400 }, () => {
    const sample = Histogram.of(stepsOf(Array.from({ length: 5000 }, () => random.next() * 1e6)));
    const { lowUs, highUs } = sample.percentile(99);
    return lowUs <= 990 && 990 <= (highUs ?? 0);
  });
  const inside = isInside.filter(Boolean).length;
  // Binomial(400, 0.95): below 366 once in a thousand. The intervals are between samples, and so a little too wide.
  test.ok(inside >= 366 && inside <= 398, `${inside} of 400`);
  test.end();
});

t.test('a percentile says on how many samples it rests', (test) => {
  const of = (count: number): Histogram => Histogram.of({ stepsNs: [[1000, count]] });
  test.equal(of(9_999).percentile(99).trust, 'weak');
  test.equal(of(10_001).percentile(99).trust, 'good');
  test.equal(of(900).percentile(99).trust, 'none');
  test.equal(of(100).percentile(99.9).highUs, null, 'no upper end: the samples do not reach it');
  test.end();
});

t.test('gates are read, and what is not one is refused', (test) => {
  test.match(parseGate('p99>5ms'), { metric: 'p99', isAbove: true, limit: 5000, isChange: false });
  test.match(parseGate('p99.9 > 250 us'), { metric: 'p99.9', limit: 250 });
  test.match(parseGate('failing>0.1%'), { metric: 'failing', limit: 0.001, isChange: false });
  test.match(parseGate('rate<-5%'), { metric: 'rate', isAbove: false, limit: -0.05, isChange: true });
  test.match(parseGate('invalid'), { metric: 'invalid' });
  for (const text of ['p99', 'p99>5', 'rate>5ms', 'failing>1', 'rate<5%', 'invalid>1', 'latency>5ms', '']) {
    test.throws(() => parseGate(text), /expected a condition like/, text);
  }
  test.end();
});

t.test('pairs give a mean ratio and a t interval', (test) => {
  const series = (values: number[]) => ({ label: 'a', metric: 'p99', values });
  // Ratios 1.1, 1.2, 1.3 by hand: mean of logs 0.179999, s = 0.083551, t(2) = 4.303.
  const result = comparePairs(series([100, 200, 50]), series([110, 240, 65]));
  test.equal(result.ratio.toFixed(4), '1.1972');
  test.equal(result.interval?.[0].toFixed(3), '0.973');
  test.equal(result.interval?.[1].toFixed(3), '1.473');
  test.equal(result.isDifferent, false, 'three pairs that spread so much show nothing');
  const steady = comparePairs(series([100, 200, 50, 80]), series([110, 221, 55, 88]));
  test.equal(steady.isDifferent, true);
  test.equal(comparePairs(series([1, 1]), series([2, 2])).interval, null, 'too few');
  const gate = [parseGate('p99>+5%')];
  test.same(failedChanges([result], gate), [], 'not shown to differ');
  test.same(failedChanges([steady], gate), ['p99>+5% at a: got +10.1 %']);
  test.same(failedChanges([steady], [parseGate('p99>+15%')]), []);
  test.same(failedChanges([steady], [parseGate('rate<-5%')]), [
    'rate<-5%: neither result has rate by rounds',
  ]);
  test.end();
});

t.test('results of both forms are compared, and what only one has is told', (test) => {
  const round = (rate: number) => ({ echo: { rate, p50Us: 10, p99Us: 20, serverCpuUs: 5 } });
  const file = (name: string) => ({ scenarios: [{ name, rounds: [round(100), round(110), round(120)] }] });
  const { comparisons } = compareSeries(seriesOf(file('x'), 'a'), seriesOf(file('x'), 'b'));
  test.same(
    comparisons.map(({ label, metric, ratio }) => [label, metric, ratio]),
    ['rate', 'p50', 'p99', 'cpu'].map((metric) => ['x: echo', metric, 1]),
  );
  const other = compareSeries(seriesOf(file('x'), 'a'), seriesOf(file('y'), 'b'));
  test.same(other, { comparisons: [], missing: ['x: echo', 'y: echo'] });
  test.throws(() => seriesOf({ format: 'other' }, 'c.json'), /expected a result of .* in c\.json/);
  test.end();
});

t.test('a trial of a search passes, fails, or measured nothing', (test) => {
  const limit = { percent: 99, us: 5000 };
  const trial = (highUs: number | null, more: Partial<Point> = {}): Point =>
    ({
      percentiles: [{ percent: 99, us: 4000, highUs }],
      ...{ byStatus: { 200: 1000 }, replies: 1000, failures: 0, givenUp: 0, mismatched: 0 },
      ...{ offeredPerS: 100, achievedPerS: 100, valid: true },
      ...more,
    }) as unknown as Point;
  test.equal(judgeTrial(trial(4900), limit), 'passes');
  test.equal(judgeTrial(trial(5100), limit), 'fails', 'the upper end of the interval counts');
  test.equal(judgeTrial(trial(null), limit), 'fails', 'too few samples');
  test.equal(judgeTrial(trial(4900, { byStatus: { 200: 998 } }), limit), 'fails', 'over 0.1 % refused');
  test.equal(judgeTrial(trial(4900, { valid: false }), limit), 'not measured');
  test.equal(judgeTrial(trial(4900, { valid: false, achievedPerS: 90 }), limit), 'fails', 'it fell behind');
  test.end();
});

t.test('recovery is when goodput is back for good', (test) => {
  const slots = (good: number[]) => good.map((count) => ({ scheduled: 100, good: count }));
  const point = (good: number[]) => ({ timeline: { widthS: 0.5, slots: slots(good) } }) as unknown as Point;
  test.equal(recoveryS(point([100, 40, 30, 60, 96, 100]), 1.5), 0.5);
  test.equal(recoveryS(point([100, 40, 96, 50, 99, 99]), 1), 1, 'a relapse counts');
  test.equal(recoveryS(point([100, 40, 30, 60]), 1), null, 'never');
  test.equal(recoveryS(point([100, 40, 100, 100]), 1), 0, 'at once');
  test.end();
});

t.test('random tensors have the bytes of their values', (test) => {
  const draw = (datatype: string) => drawTensor({ name: 'x', datatype, shape: [] }, [3], new SeededRandom(5));
  const float = draw('FP32');
  test.same([...new Float32Array(Uint8Array.from(float.bytes).buffer)], float.values);
  const long = draw('INT64');
  test.same([...new BigInt64Array(Uint8Array.from(long.bytes).buffer)].map(Number), long.values);
  const text = draw('BYTES');
  test.equal(text.bytes.length, 3 * (4 + 8));
  test.equal(text.bytes.toString('utf8', 4, 12), text.values[0]);
  // Half: sign, five bits of exponent (bias 15), ten of fraction.
  const half = draw('FP16');
  half.values.forEach((value, i) => {
    const bits = half.bytes.readUInt16LE(2 * i);
    const size = 2 ** (((bits >> 10) & 31) - 15) * (1 + (bits & 1023) / 1024);
    test.ok(Math.abs((bits & 0x8000 ? -size : size) - Number(value)) < 0.001, `${value}`);
  });
  test.throws(() => draw('COMPLEX64'), /has the data type COMPLEX64/);
  test.end();
});

t.test('plots hold what they are given, and no markup from outside', (test) => {
  const svg = lineChart(
    [
      {
        name: '<b>',
        points: [
          [1, 10],
          [2, 1000],
          [3, NaN],
        ],
      },
    ],
    {
      title: 'a & b',
      xLabel: 'x',
      yLabel: 'y',
      isYLog: true,
    },
  );
  test.match(svg, 'a &amp; b');
  test.notMatch(svg, '<b>');
  test.equal(svg.match(/<circle/g)?.length, 2, 'a point that is no number is left out');
  test.notMatch(svg, 'NaN');
  test.equal(escapeText('<"&>'), '&lt;&quot;&amp;&gt;');
  test.same([950, 1500, 2_340_000, 0.05].map(shortNumber), ['950', '1.5k', '2.34M', '0.05']);
  test.end();
});
