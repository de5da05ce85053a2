/** What is the same in Node and in browsers. */
export type { Client, ClientCounts, ConnectionState, ConnectOptions } from './client.js';
export type { ArrayOf, DataType, InputData, Tensor } from './data-types.js';
export { InferError, type ClientCode } from './errors.js';
export { bfloat16ToFloat32, float16ToFloat32, float32ToBfloat16, float32ToFloat16 } from './half.js';
export { HttpClient, httpClient, type HttpOptions } from './http.js';
export type {
  InferClient,
  InferOptions,
  InferResult,
  Inputs,
  ModelInfo,
  OutputTypes,
  ShapedInput,
  StageTimes,
  TensorInfo,
} from './model.js';
export { toBooleans, toStrings } from './outputs.js';
