/** Do our own parts load here? For `sluice doctor`: native addon, ONNX Runtime with its providers, uWebSockets.js. */
import { addonPath, loadAddon } from '../engine/addon.js';
import { createEngine } from '../engine/addon-engine.js';
import { findOnnxruntime } from '../engine/onnxruntime.js';
import { loadUws } from '../transport/uws-transport.js';
import type { Finding } from './machine-checks.js';

function messageOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.split('\n', 1)[0] ?? text;
}

function attempt<Result>(what: string, mend: string, act: () => Result): Result | Finding {
  try {
    return act();
  } catch (error) {
    return { state: 'missing', what, found: messageOf(error), mend };
  }
}

function checkRuntime(given: string | undefined): Finding[] {
  const what = 'ONNX Runtime';
  const mend = 'npm install onnxruntime-node --ignore-scripts, or name a library with --onnxruntime';
  const path = attempt(what, mend, () => findOnnxruntime(given));
  if (typeof path !== 'string') return [path];
  const engine = attempt(what, mend, () => createEngine({ onnxruntimePath: path, workers: 1 }));
  if ('state' in engine) return [engine];
  const info = engine.info();
  void engine.shutdown();
  return [
    { state: 'ok', what, found: `${info.onnxruntimeVersion} at ${info.onnxruntimePath}` },
    { state: 'ok', what: 'providers', found: info.providers.join(', ') },
    {
      state: info.hasCuda ? 'ok' : 'note',
      what: 'CUDA parts',
      found: info.hasCuda ? 'built in' : 'not built in',
    },
  ];
}

export function checkEngine(onnxruntimePath: string | undefined): Finding[] {
  const addon = attempt('native addon', 'npm run build', () => loadAddon(addonPath()));
  if ('state' in addon) return [addon];
  return [{ state: 'ok', what: 'native addon', found: addonPath() }, ...checkRuntime(onnxruntimePath)];
}

export async function checkTransport(): Promise<Finding> {
  const what = 'uWebSockets.js';
  try {
    await loadUws();
    return { state: 'ok', what, found: `loads on Node ${process.version}` };
  } catch (error) {
    const mend = 'use Node 20 or 22, or override the package in package.json';
    return { state: 'note', what, found: `node:http serves instead: ${messageOf(error)}`, mend };
  }
}
