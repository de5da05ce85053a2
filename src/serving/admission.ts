/**
 * Who may come in: counts the requests and the body bytes that are inside, refuses new ones while the server drains or
 * the bytes are over their budget, and tells when the last request has left. Lives on one event loop; plain numbers.
 */
import type { ErrorName } from '../core/errors.js';

export interface AdmissionLimits {
  /** A body that is all JSON, or the JSON part of a body with binary tensors. */
  readonly jsonBodyBytes: number;
  readonly binaryBodyBytes: number;
  /** Body bytes of all requests together that are being received or answered. */
  readonly inFlightBytes: number;
}

export class Admission {
  inFlightRequests = 0;
  inFlightBytes = 0;
  isDraining = false;
  /** Requests refused before a version was asked, by the error's name. */
  readonly refusals = new Map<string, number>();
  private wakeDrained: (() => void) | undefined;

  constructor(readonly limits: AdmissionLimits) {}

  countRefusal(code: ErrorName): void {
    this.refusals.set(code, (this.refusals.get(code) ?? 0) + 1);
  }

  hasRoomFor(bytes: number): boolean {
    return this.inFlightBytes + bytes <= this.limits.inFlightBytes;
  }

  enter(bytes: number): void {
    this.inFlightRequests += 1;
    this.inFlightBytes += bytes;
  }

  leave(bytes: number): void {
    this.inFlightRequests -= 1;
    this.inFlightBytes -= bytes;
    if (this.inFlightRequests === 0 && this.wakeDrained !== undefined) this.wakeDrained();
  }

  /** Refuses new requests from now on; true once the last one inside has left, false when `limitMs` passed first. */
  drain(limitMs: number): Promise<boolean> {
    this.isDraining = true;
    if (this.inFlightRequests === 0) return Promise.resolve(true);
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.wakeDrained = undefined;
        resolve(false);
      }, limitMs);
      this.wakeDrained = () => {
        clearTimeout(timer);
        this.wakeDrained = undefined;
        resolve(true);
      };
    });
  }
}
