/** The schema for editors is the one that the validators make; it knows what they know. */
import t from 'tap';
import { readFileSync } from 'node:fs';
import { modelConfigSchema } from '../../src/models/config/json-schema.js';

t.test(
  'schemas/model-config.schema.json is what the code makes: node scripts/write-config-schema.mjs',
  (t) => {
    const text = readFileSync(new URL('../../schemas/model-config.schema.json', import.meta.url), 'utf8');
    t.same(JSON.parse(text), JSON.parse(JSON.stringify(modelConfigSchema())));
    t.match(modelConfigSchema(), {
      properties: {
        max_batch_size: { type: 'integer' },
        input: { type: 'array', items: { $ref: '#/$defs/ModelInput' } },
        sluice: { properties: { execution: { enum: ['auto', 'inline', 'worker'] } } },
      },
      $defs: { ModelInput: { properties: { dims: { items: { type: ['integer', 'string'] } } } } },
    });
    t.end();
  },
);
