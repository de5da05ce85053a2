/**
 * What the addon tells about each verified frame of a message: places in its row of `Engine.frameFacts`. The same order as
 * FrameFact, FrameKind, FrameFlag and FrameTextField in native/.
 */
export const FRAME_FACTS = {
  KIND: 0,
  ID: 1,
  MODEL_NUMBER: 2,
  DEADLINE_MS: 3,
  PRIORITY: 4,
  FLAGS: 5,
  /** Of a request: what `submitFrame` and `bodyDrop` call it. */
  BODY: 6,
  BYTES: 7,
} as const;
export const FRAME_FACT_COUNT = 8;
/** Frames that one message may bundle: as many rows of facts. Behind them: 1 where the message was a bundle. */
export const FRAME_ROWS = 256;
export const FRAME_IS_BUNDLE = FRAME_ROWS * FRAME_FACT_COUNT;

/** What is written down for a frame whose version is chosen, in the order of FrameChoice in native/. */
export const FRAME_CHOICE = { BODY: 0, HANDLE: 1, DEADLINE_MS: 2, PRIORITY: 3, SHADOW: 4 } as const;
export const FRAME_CHOICE_FIELDS = 5;
export const FRAME_CHOICE_ROWS = 256;

export const FRAME_KINDS = { REQUEST: 1, CANCEL: 2, OF_SERVER: 3 } as const;

export const FRAME_FLAGS = {
  HAS_MODEL: 1,
  HAS_VERSION: 2,
  HAS_ROUTING_KEY: 4,
  HAS_TRACEPARENT: 8,
  WANTS_TIMES: 16,
} as const;

export const FRAME_TEXTS = { MODEL: 0, VERSION: 1, ROUTING_KEY: 2, TRACEPARENT: 3 } as const;
