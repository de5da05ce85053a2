/** Reads a model's configuration in either form, with the place of every field. Pure. */
import { parseJsonConfig } from './json-config.js';
import { readModelConfig, type ReadConfig } from './model-config.js';
import { parsePbtxt } from './pbtxt.js';
import { pbtxtSource } from './places.js';

/** `fileName` is for messages only, as below. */
export function readPbtxtConfig(text: string, fileName = 'config.pbtxt'): ReadConfig {
  return readModelConfig(parsePbtxt(text, fileName), undefined, pbtxtSource(text, fileName));
}

export function readJsonConfig(text: string, fileName = 'config.json'): ReadConfig {
  const { config, sluice, source } = parseJsonConfig(text, fileName);
  return readModelConfig(config, sluice, source);
}
