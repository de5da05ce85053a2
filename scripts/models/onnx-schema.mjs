/**
 * Owns: the part of the ONNX file format that our writer needs, as a protobufjs schema, and the encoding of a model.
 * Field numbers are those of the ONNX format; the schema lists only the fields that are written.
 * Plain Node, no threads; the caller owns the returned bytes.
 */
import protobuf from 'protobufjs';

/** ONNX element types, by the name of the V2 data type. */
export const ELEMENT_TYPES = {
  FP32: 1,
  UINT8: 2,
  INT8: 3,
  UINT16: 4,
  INT16: 5,
  INT32: 6,
  INT64: 7,
  BYTES: 8,
  BOOL: 9,
  FP16: 10,
  FP64: 11,
  UINT32: 12,
  UINT64: 13,
  BF16: 16,
};

export const ATTRIBUTE_TYPES = {
  FLOAT: 1,
  INT: 2,
  STRING: 3,
  TENSOR: 4,
  GRAPH: 5,
  FLOATS: 6,
  INTS: 7,
  STRINGS: 8,
};

export const EXTERNAL_LOCATION = 1;

// IR 8 and opset 17 are read by every ONNX Runtime from 1.13 on, so that old system libraries serve the examples too.
const IR_VERSION = 8;
const OPSET_VERSION = 17;
const PRODUCER = 'sluice-make-models';

function one(type, id) {
  return { type, id };
}

function many(type, id) {
  return { rule: 'repeated', type, id };
}

const SCHEMA = {
  nested: {
    ModelProto: {
      fields: {
        irVersion: one('int64', 1),
        producerName: one('string', 2),
        graph: one('GraphProto', 7),
        opsetImport: many('OperatorSetIdProto', 8),
      },
    },
    OperatorSetIdProto: { fields: { domain: one('string', 1), version: one('int64', 2) } },
    GraphProto: {
      fields: {
        node: many('NodeProto', 1),
        name: one('string', 2),
        initializer: many('TensorProto', 5),
        input: many('ValueInfoProto', 11),
        output: many('ValueInfoProto', 12),
        valueInfo: many('ValueInfoProto', 13),
      },
    },
    NodeProto: {
      fields: {
        input: many('string', 1),
        output: many('string', 2),
        name: one('string', 3),
        opType: one('string', 4),
        attribute: many('AttributeProto', 5),
        domain: one('string', 7),
      },
    },
    AttributeProto: {
      fields: {
        name: one('string', 1),
        f: one('float', 2),
        i: one('int64', 3),
        s: one('bytes', 4),
        t: one('TensorProto', 5),
        g: one('GraphProto', 6),
        floats: many('float', 7),
        ints: many('int64', 8),
        strings: many('bytes', 9),
        type: one('int32', 20),
      },
    },
    TensorProto: {
      fields: {
        dims: many('int64', 1),
        dataType: one('int32', 2),
        stringData: many('bytes', 6),
        name: one('string', 8),
        rawData: one('bytes', 9),
        externalData: many('StringStringEntryProto', 13),
        dataLocation: one('int32', 14),
      },
    },
    StringStringEntryProto: { fields: { key: one('string', 1), value: one('string', 2) } },
    ValueInfoProto: { fields: { name: one('string', 1), type: one('TypeProto', 2) } },
    TypeProto: { fields: { tensorType: one('TensorTypeProto', 1) } },
    TensorTypeProto: { fields: { elemType: one('int32', 1), shape: one('TensorShapeProto', 2) } },
    TensorShapeProto: { fields: { dim: many('DimensionProto', 1) } },
    DimensionProto: { fields: { dimValue: one('int64', 1), dimParam: one('string', 2) } },
  },
};

const ModelProto = protobuf.Root.fromJSON(SCHEMA).lookupType('ModelProto');

/** Bytes of a model file around one graph. */
export function encodeModel(graph) {
  const model = {
    irVersion: IR_VERSION,
    producerName: PRODUCER,
    graph,
    opsetImport: [{ domain: '', version: OPSET_VERSION }],
  };
  const problem = ModelProto.verify(model);
  if (problem)
    throw new Error(`expected a model that fits the ONNX schema for graph '${graph.name}', got: ${problem}`);
  return Buffer.from(ModelProto.encode(model).finish());
}

/** The graph of a model file that this writer made; of other files, the fields that the schema knows. */
export function decodeModel(bytes) {
  return ModelProto.toObject(ModelProto.decode(bytes)).graph;
}
