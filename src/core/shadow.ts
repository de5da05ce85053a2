/**
 * Words about shadows that several floors share: how two answers are compared, and what was found out. A shadow is a
 * version that answers a sample of another version's requests, for comparison only.
 */

/** What decides whether a row of an output agrees: `none` measures and never judges. */
export type ShadowJudge = 'tolerance' | 'top1' | 'cosine' | 'none';

export interface CompareRule {
  /** An element agrees when |shadow - primary| <= absolute + relative * |primary|. Absent: the datatype's default. */
  readonly absolute?: number | undefined;
  readonly relative?: number | undefined;
  readonly leastCosine?: number | undefined;
  /** Best scores looked at along the last dimension; 0 = none. Absent: 5 for an output of one score vector per row. */
  readonly topK?: number | undefined;
  readonly judge?: ShadowJudge | undefined;
}

export interface ShadowRules {
  /** By output name; outputs that are not named get the defaults. */
  readonly outputs: Readonly<Record<string, CompareRule>>;
  /** Sampled requests that may wait for the shadow, and their bytes; the rest is dropped and counted. */
  readonly maxWaiting?: number | undefined;
  readonly maxWaitingBytes?: number | undefined;
}

/** Pairs of [inclusive upper bound, count]; the last bound may be Infinity. */
export type Buckets = ReadonlyArray<readonly [number, number]>;

export interface OutputReport {
  readonly name: string;
  readonly datatype: string;
  readonly requests: number;
  readonly requestsApart: number;
  /** Requests whose output had another datatype or shape, or was not there. */
  readonly otherShape: number;
  readonly rows: number;
  readonly rowsApart: number;
  readonly elements: number;
  readonly elementsApart: number;
  /** NaN or infinity on one side only. */
  readonly elementsOdd: number;
  readonly meanAbsolute: number;
  readonly maxAbsolute: number;
  readonly meanRelative: number;
  readonly maxRelative: number;
  readonly maxUlp: number;
  readonly meanCosine: number;
  readonly leastCosine: number;
  /** The worst element's distance over what the tolerance allows; up to 1 agrees. */
  readonly worstExcess: number;
  readonly vectors: number;
  readonly top1Agreed: number;
  /** Mean share of the k best scores that both have. */
  readonly topKShared: number;
  /** Requests by their largest difference. */
  readonly absolute: Buckets;
  readonly relative: Buckets;
}

export interface ShadowFacts {
  /** Requests given to the primary with the shadow beside; those it answered with success. */
  readonly sampled: number;
  readonly answered: number;
  readonly compared: number;
  readonly apart: number;
  readonly rows: number;
  readonly runs: number;
  readonly waiting: number;
  readonly waitingBytes: number;
  /** Answered, and then dropped before the shadow ran, by reason. */
  readonly dropped: Readonly<Record<string, number>>;
  /** Taken by the shadow and not compared, by reason. */
  readonly skipped: Readonly<Record<string, number>>;
  /** Run times of the compared requests, microseconds. */
  readonly primaryRunUs: Buckets;
  readonly shadowRunUs: Buckets;
  readonly primaryRunSumUs: number;
  readonly shadowRunSumUs: number;
  readonly outputs: readonly OutputReport[];
}

export interface RecordedBody {
  readonly bytes: ArrayBuffer;
  /** Length of the JSON part; binary tensors follow. */
  readonly headLength: number;
}

export interface ShadowMismatch {
  /** Counts the mismatches that were ever kept. */
  readonly number: number;
  readonly unixMs: number;
  readonly excess: number;
  readonly rows: number;
  readonly outputs: ReadonlyArray<
    Pick<
      OutputReport,
      | 'name'
      | 'rows'
      | 'rowsApart'
      | 'elementsApart'
      | 'elementsOdd'
      | 'maxAbsolute'
      | 'maxRelative'
      | 'maxUlp'
      | 'leastCosine'
      | 'worstExcess'
      | 'vectors'
      | 'top1Agreed'
    > & { readonly isOtherShape: boolean; readonly worstElement: number }
  >;
  /** Absent where they were too large to keep. */
  readonly request?: RecordedBody;
  readonly primary?: RecordedBody;
  readonly shadow?: RecordedBody;
}
