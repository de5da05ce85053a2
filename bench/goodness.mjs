/** Goodness of fit of arrivals: whether they are a Poisson process of the rate that was asked for. */

/** Largest distance between the values' distribution and `cdf`; with n values it passes 1.628 / sqrt(n) once in a hundred. */
export function kolmogorovSmirnov(values, cdf) {
  const sorted = [...values].sort((a, b) => a - b);
  const n = sorted.length;
  let distance = 0;
  sorted.forEach((value, i) => {
    const share = cdf(value);
    distance = Math.max(distance, Math.abs(share - i / n), Math.abs(share - (i + 1) / n));
  });
  const critical = 1.628 / Math.sqrt(n);
  return { n, distance, critical, isPassed: distance <= critical };
}

/**
 * Counts in equal windows of a Poisson process have their mean as variance: (k - 1) times the ratio is chi-square with k - 1
 * degrees of freedom, here by its normal approximation (k is in the hundreds). Passes inside of +-2.576: once in a hundred not.
 */
export function dispersion(timesS, untilS, windows = 400) {
  const counts = new Array(windows).fill(0);
  for (const at of timesS) counts[Math.min(windows - 1, Math.floor((at / untilS) * windows))] += 1;
  const mean = timesS.length / windows;
  const variance = counts.reduce((sum, count) => sum + (count - mean) ** 2, 0) / (windows - 1);
  const z = ((variance / mean) * (windows - 1) - (windows - 1)) / Math.sqrt(2 * (windows - 1));
  return { ratio: variance / mean, z, isPassed: Math.abs(z) <= 2.576 };
}

/** Gaps of a Poisson process are exponential; given their number, its times are uniform. */
export function testPoisson(timesS, ratePerS, untilS) {
  const gaps = timesS.slice(1).map((at, i) => at - timesS[i]);
  return {
    gaps: kolmogorovSmirnov(gaps, (gap) => 1 - Math.exp(-ratePerS * gap)),
    times: kolmogorovSmirnov(timesS, (at) => at / untilS),
    dispersion: dispersion(timesS, untilS),
  };
}
