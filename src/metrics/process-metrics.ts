/**
 * What prom-client knows of the process: CPU, memory, loop lag, garbage collection, under the names that boards for Node
 * expect. Taken as numbers and written by our own hand, since it writes "Nan" and would be a second writer of text.
 */
import { collectDefaultMetrics, Registry } from 'prom-client';
import type { MetricFamily, MetricSource, MetricType } from './family.js';

/** Gauges whose names end as only those of counters may. */
const MISNAMED = [
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
  'nodejs_active_resources_total',
];

interface Value {
  readonly labels: Record<string, string | number>;
  readonly value: number;
  readonly metricName?: string;
}

interface Read {
  readonly name: string;
  readonly help: string;
  readonly type: MetricType;
  readonly values: readonly Value[];
}

interface Metric {
  get(): Promise<Read>;
}

export function processMetrics(): MetricSource {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  for (const name of MISNAMED) registry.removeSingleMetric(name);
  return async () => {
    const families: MetricFamily[] = [];
    // One after the other: one of them waits for the next turn of the loop.
    for (const metric of registry.getMetricsAsArray() as unknown as Metric[]) {
      const { name, help, type, values } = await metric.get();
      // Not a number: nothing has been measured since the last look.
      const samples = values
        .filter(({ value }) => !Number.isNaN(value))
        .map(({ labels, value, metricName = name }) => ({
          labels,
          value,
          suffix: metricName.slice(name.length),
        }));
      families.push({ name, help, type, samples });
    }
    return families;
  };
}
