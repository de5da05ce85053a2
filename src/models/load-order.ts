/** What a load begins with: which version of which model, and the configuration that it gets. */
import type { ReadConfig } from './config/model-config.js';
import type { FoundVersion } from './repository.js';

export interface LoadOrder {
  readonly modelName: string;
  readonly found: FoundVersion;
  readonly read: ReadConfig;
}
