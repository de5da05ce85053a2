#!/usr/bin/env node
// Writes schemas/model-config.schema.json from the built validators; a test holds the two together.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { modelConfigSchema } from '../dist/models/config/json-schema.js';
import { ROOT } from './setup/stamp.mjs';

const path = join(ROOT, 'schemas/model-config.schema.json');
writeFileSync(path, `${JSON.stringify(modelConfigSchema(), undefined, 2)}\n`);
