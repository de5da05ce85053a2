/**
 * The V2 data types: wire name, number (the ModelConfig enum's, shared with the addon and compared at load),
 * bytes per element (0 = variable), and ModelConfig spelling.
 */
export interface DataTypeRow {
  readonly number: number;
  readonly bytes: number;
  readonly configName: string;
}

export const DATA_TYPES = {
  BOOL: { number: 1, bytes: 1, configName: 'TYPE_BOOL' },
  UINT8: { number: 2, bytes: 1, configName: 'TYPE_UINT8' },
  UINT16: { number: 3, bytes: 2, configName: 'TYPE_UINT16' },
  UINT32: { number: 4, bytes: 4, configName: 'TYPE_UINT32' },
  UINT64: { number: 5, bytes: 8, configName: 'TYPE_UINT64' },
  INT8: { number: 6, bytes: 1, configName: 'TYPE_INT8' },
  INT16: { number: 7, bytes: 2, configName: 'TYPE_INT16' },
  INT32: { number: 8, bytes: 4, configName: 'TYPE_INT32' },
  INT64: { number: 9, bytes: 8, configName: 'TYPE_INT64' },
  FP16: { number: 10, bytes: 2, configName: 'TYPE_FP16' },
  FP32: { number: 11, bytes: 4, configName: 'TYPE_FP32' },
  FP64: { number: 12, bytes: 8, configName: 'TYPE_FP64' },
  BYTES: { number: 13, bytes: 0, configName: 'TYPE_STRING' },
  BF16: { number: 14, bytes: 2, configName: 'TYPE_BF16' },
} as const satisfies Record<string, DataTypeRow>;

export type DataType = keyof typeof DATA_TYPES;

export const DATA_TYPE_NAMES = Object.keys(DATA_TYPES) as DataType[];

const NAME_BY_NUMBER = new Map<number, DataType>(
  DATA_TYPE_NAMES.map((name) => [DATA_TYPES[name].number, name]),
);
const NAME_BY_CONFIG_NAME = new Map<string, DataType>(
  DATA_TYPE_NAMES.map((name) => [DATA_TYPES[name].configName, name]),
);

export function dataTypeByNumber(number: number): DataType | undefined {
  return NAME_BY_NUMBER.get(number);
}

/** `TYPE_FP32` -> `FP32`. */
export function dataTypeByConfigName(configName: string): DataType | undefined {
  return NAME_BY_CONFIG_NAME.get(configName);
}
