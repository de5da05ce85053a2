/** The `parameters` that Triton's ONNX Runtime backend reads and that Sluice honours, each with its own kind of value. Pure. */
import { SluiceError } from '../../core/errors.js';
import { whereIn, type ConfigSource } from './places.js';

type Parameters = ReadonlyMap<string, { readonly string_value: string }>;

export interface RuntimeParameters {
  /** 0: not given. */
  readonly intraOpThreads: number;
  readonly interOpThreads: number;
  readonly executionMode?: 'sequential' | 'parallel';
  readonly usesArena?: boolean;
  readonly usesMemoryPattern?: boolean;
}

export const RUNTIME_PARAMETERS = [
  'intra_op_thread_count',
  'inter_op_thread_count',
  'execution_mode',
  'enable_mem_arena',
  'enable_mem_pattern',
];

const SWITCHES: Record<string, boolean> = { '1': true, true: true, '0': false, false: false };

export function readRuntimeParameters(parameters: Parameters, source: ConfigSource): RuntimeParameters {
  const refuse = (key: string, expected: string, text: string): never => {
    const message = `${whereIn(source, ['parameters', key])}: expected ${expected}, got "${text}"`;
    throw new SluiceError('CONFIG_INVALID', message);
  };
  const threads = (key: string): number => {
    const text = parameters.get(key)?.string_value;
    if (text === undefined) return 0;
    if (!/^\d{1,4}$/.test(text)) refuse(key, 'a number of threads (0 = default)', text);
    return Number(text);
  };
  const oneOf = <T>(key: string, values: Record<string, T>, expected: string): T | undefined => {
    const text = parameters.get(key)?.string_value;
    if (text === undefined) return undefined;
    const word = text.toLowerCase();
    return Object.hasOwn(values, word) ? values[word] : refuse(key, expected, text);
  };
  const executionMode = oneOf(
    'execution_mode',
    { '0': 'sequential', '1': 'parallel' } as const,
    '0 (sequential) or 1 (parallel)',
  );
  const usesArena = oneOf('enable_mem_arena', SWITCHES, '0, 1, false or true');
  const usesMemoryPattern = oneOf('enable_mem_pattern', SWITCHES, '0, 1, false or true');
  return {
    intraOpThreads: threads('intra_op_thread_count'),
    interOpThreads: threads('inter_op_thread_count'),
    ...(executionMode === undefined ? {} : { executionMode }),
    ...(usesArena === undefined ? {} : { usesArena }),
    ...(usesMemoryPattern === undefined ? {} : { usesMemoryPattern }),
  };
}
