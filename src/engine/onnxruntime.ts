/**
 * Finds the ONNX Runtime library: the given path, else the npm package `onnxruntime-node`, else the system's.
 */
import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { SluiceError } from '../core/errors.js';

const SYSTEM_DIRECTORIES = [
  '/usr/local/lib',
  '/usr/lib/x86_64-linux-gnu',
  '/usr/lib/aarch64-linux-gnu',
  '/usr/lib64',
  '/usr/lib',
];

/** Path of `libonnxruntime.so*`; a directory that holds it is accepted too. Throws when there is none. */
export function findOnnxruntime(given?: string): string {
  if (given !== undefined && given !== '') {
    const found = existsSync(given) ? (libraryIn(given) ?? given) : undefined;
    if (found !== undefined) return found;
    throw new SluiceError('INTERNAL', `expected the ONNX Runtime library at ${given}, nothing is there`);
  }
  const found = libraryOfPackage() ?? SYSTEM_DIRECTORIES.map(libraryIn).find((path) => path !== undefined);
  if (found !== undefined) return found;
  throw new SluiceError(
    'INTERNAL',
    'no ONNX Runtime library was found: install the npm package onnxruntime-node, or name one with --onnxruntime or SLUICE_ONNXRUNTIME',
  );
}

function libraryOfPackage(): string | undefined {
  try {
    const root = dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json'));
    return libraryIn(join(root, 'bin', 'napi-v6', process.platform, process.arch));
  } catch {
    return undefined;
  }
}

function libraryIn(directory: string): string | undefined {
  try {
    const names = readdirSync(directory).filter((name) =>
      /^libonnxruntime\.(so(\.[0-9.]+)?|([0-9.]+\.)?dylib)$/.test(name),
    );
    const name = names.sort()[0];
    return name === undefined ? undefined : join(directory, name);
  } catch {
    return undefined;
  }
}
