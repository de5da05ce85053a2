/**
 * What is shown about the WebSockets of a server: how many there are, what went through them, and how they ended.
 */
import type { MetricSource } from './family.js';

export interface SocketNumbers {
  readonly open: number;
  readonly opened: number;
  readonly refused: number;
  readonly messages: number;
  readonly answers: number;
  /** By the reason's name. */
  readonly ends: Readonly<Record<string, number>>;
}

export function socketMetrics(numbers: SocketNumbers): MetricSource {
  return function* () {
    const { open, opened, refused, messages, answers, ends } = numbers;
    yield {
      name: 'sluice_ws_sockets',
      type: 'gauge',
      help: 'WebSockets that are open',
      samples: [{ labels: {}, value: open }],
    };
    const totals = [
      ['opened', 'WebSockets that were opened', opened],
      ['refused', 'Upgrades to a WebSocket that were refused', refused],
      ['messages', 'Messages that came over WebSockets', messages],
      ['answers', 'Answers to requests that were handed to WebSockets, errors among them', answers],
    ] as const;
    for (const [name, help, value] of totals)
      yield { name: `sluice_ws_${name}_total`, type: 'counter', help, samples: [{ labels: {}, value }] };
    yield {
      name: 'sluice_ws_ended_total',
      type: 'counter',
      help: 'WebSockets that have ended, by the reason',
      samples: Object.entries(ends).map(([reason, value]) => ({
        labels: { reason: reason.toLowerCase() },
        value,
      })),
    };
  };
}
