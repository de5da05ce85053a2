/**
 * The JSON schema of config.json, for editors: made from the same tables that read it, so the two cannot differ. Names are
 * those of Triton's ModelConfig; what stands under `sluice` is ours. Pure.
 */
import protobuf from 'protobufjs/light.js';
import { MODEL_CONFIG_TYPE } from './fields.js';
import { SLUICE_JSON_SCHEMA } from './model-config.js';

type Schema = Record<string, unknown>;

const INTEGERS: Readonly<Record<string, Schema>> = {
  int32: { type: 'integer' },
  uint32: { type: 'integer', minimum: 0 },
  int64: { type: ['integer', 'string'] },
  uint64: { type: ['integer', 'string'] },
};

function scalarSchema(type: string): Schema {
  if (type === 'string') return { type: 'string' };
  if (type === 'bool') return { type: 'boolean' };
  return INTEGERS[type] ?? { type: 'number' };
}

function valueSchema(field: protobuf.Field, definitions: Record<string, Schema>): Schema {
  field.resolve();
  const { resolvedType } = field;
  if (resolvedType instanceof protobuf.Enum) return { enum: Object.keys(resolvedType.values) };
  if (!(resolvedType instanceof protobuf.Type)) return scalarSchema(field.type);
  if (!(resolvedType.name in definitions)) {
    definitions[resolvedType.name] = {};
    definitions[resolvedType.name] = messageSchema(resolvedType, definitions);
  }
  return { $ref: `#/$defs/${resolvedType.name}` };
}

function messageSchema(type: protobuf.Type, definitions: Record<string, Schema>): Schema {
  const properties: Record<string, Schema> = {};
  for (const field of type.fieldsArray) {
    const value = valueSchema(field, definitions);
    if (field instanceof protobuf.MapField)
      properties[field.name] = { type: 'object', additionalProperties: value };
    else properties[field.name] = field.repeated ? { type: 'array', items: value } : value;
  }
  return { type: 'object', properties, additionalProperties: false };
}

export function modelConfigSchema(): Schema {
  const definitions: Record<string, Schema> = {};
  const { properties, ...rest } = messageSchema(MODEL_CONFIG_TYPE, definitions);
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'config.json of a model served by Sluice',
    ...rest,
    properties: { $schema: { type: 'string' }, ...(properties as object), sluice: SLUICE_JSON_SCHEMA },
    $defs: definitions,
  };
}
