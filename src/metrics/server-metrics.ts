/**
 * What is shown about the server as a whole: what it is, what is inside it, and what it refused before any version was asked.
 */
import type { MetricSource } from './family.js';

export interface ServerFacts {
  readonly version: string;
  readonly onnxruntimeVersion: string;
  readonly transportName: string;
  readonly workers: number;
}

export interface Inside {
  readonly inFlightRequests: number;
  readonly inFlightBytes: number;
  /** By the error's name. */
  readonly refusals: ReadonlyMap<string, number>;
}

export function serverMetrics(facts: () => ServerFacts, inside: Inside): MetricSource {
  return function* () {
    const { version, onnxruntimeVersion, transportName, workers } = facts();
    yield {
      name: 'sluice_build_info',
      type: 'gauge',
      help: 'Always 1; what this server is made of',
      samples: [
        {
          labels: {
            version,
            onnxruntime: onnxruntimeVersion,
            node: process.version,
            transport: transportName,
          },
          value: 1,
        },
      ],
    };
    yield {
      name: 'sluice_workers',
      type: 'gauge',
      help: 'Threads that run models',
      samples: [{ labels: {}, value: workers }],
    };
    yield {
      name: 'sluice_in_flight_requests',
      type: 'gauge',
      help: 'Infer requests inside the server, from their head to their reply',
      samples: [{ labels: {}, value: inside.inFlightRequests }],
    };
    yield {
      name: 'sluice_in_flight_bytes',
      type: 'gauge',
      help: 'Body bytes of the requests inside',
      samples: [{ labels: {}, value: inside.inFlightBytes }],
    };
    yield {
      name: 'sluice_server_refusals_total',
      type: 'counter',
      help: 'Infer requests refused before a version was asked, by the name of the error',
      samples: [...inside.refusals].map(([name, value]) => ({
        labels: { reason: name.toLowerCase() },
        value,
      })),
    };
  };
}
