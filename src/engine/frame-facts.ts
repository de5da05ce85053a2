/**
 * What the addon tells about a verified frame: places in the memory that `Engine.frameFacts` looks at. The same order as
 * FrameFact, FrameKind, FrameFlag and FrameTextField in native/.
 */
export const FRAME_FACTS = {
  KIND: 0,
  ID: 1,
  MODEL_NUMBER: 2,
  DEADLINE_MS: 3,
  PRIORITY: 4,
  FLAGS: 5,
} as const;
export const FRAME_FACT_COUNT = 6;

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
