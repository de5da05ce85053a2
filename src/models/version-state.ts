/**
 * The life of one model version, as a table of legal moves. An illegal move is a fault of ours and throws.
 *
 *   LOADING -> WARMING -> VERIFYING -> READY -> DRAINING -> UNLOADED
 *      |          |           |
 *      +----------+-----------+--> REJECTED          UNLOADED, REJECTED -> LOADING (loaded anew)
 */
import type { VersionState } from '../core/model.js';

const LEGAL_MOVES: Readonly<Record<VersionState, readonly VersionState[]>> = {
  LOADING: ['WARMING', 'REJECTED'],
  WARMING: ['VERIFYING', 'REJECTED'],
  VERIFYING: ['READY', 'REJECTED'],
  READY: ['DRAINING'],
  DRAINING: ['UNLOADED'],
  UNLOADED: ['LOADING'],
  REJECTED: ['LOADING'],
};

export function mayMove(from: VersionState, to: VersionState): boolean {
  return LEGAL_MOVES[from].includes(to);
}

/** Answers `to`, or throws where the move is not legal. `who` names the version in the message. */
export function moveState(who: string, from: VersionState, to: VersionState): VersionState {
  if (mayMove(from, to)) return to;
  throw new Error(
    `${who}: a version that is ${from} cannot become ${to}, only ${LEGAL_MOVES[from].join(' or ')}`,
  );
}
