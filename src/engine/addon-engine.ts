/**
 * The Engine over the native addon, for one event loop. Requests of one tick go to the addon together, at the tick's end;
 * their answers come out through `Answers`.
 */
import { ERRORS, SluiceError } from '../core/errors.js';
import type { ServePlan, StartReport } from '../core/model.js';
import type { VersionStats } from '../core/version-stats.js';
import type { ShadowFacts, ShadowMismatch, ShadowRules } from '../core/shadow.js';
import { addonPath, fromAddonError, loadAddon, type Addon } from './addon.js';
import { Answers } from './answers.js';
import type { OpenedModel, OpenOptions } from '../core/opening.js';
import type { Engine, EngineInfo, ModelHandle, ReplySink } from './engine.js';
import { checkAllowedCpus, settingsOf, type EngineOptions } from './engine-settings.js';
import { FRAME_CHOICE, FRAME_CHOICE_FIELDS, FRAME_CHOICE_ROWS } from './frame-facts.js';
import { SlowCalls } from './slow-calls.js';

const QUEUE_FULL = ERRORS.QUEUE_FULL.number;
/** After a tick without a refusal there is still one more. */
const CROWDED_TICKS = 2;

/** Opens ONNX Runtime and starts the worker threads; throws a SluiceError that says what is missing. */
export function createEngine(options: EngineOptions = {}): Engine {
  return new AddonEngine(loadAddon(addonPath(options.addonPath)), options);
}

class AddonEngine implements Engine {
  private readonly addon: Addon;
  readonly frameFacts: Uint32Array;
  private readonly frameChoices: Uint32Array;
  private chosenFrames = 0;
  private readonly answers: Answers;
  private readonly nextShadow: Uint32Array;
  private isTickArmed = false;
  /** Ticks for which refusals are expected. */
  private crowdedTicks = 0;
  private isStopping = false;
  private readonly slowCalls = new SlowCalls();

  constructor(addon: Addon, options: EngineOptions) {
    this.addon = addon;
    const settings = settingsOf(options);
    try {
      const memory = addon.openEngine(settings, this.onWake);
      this.answers = new Answers(addon, memory);
      this.frameFacts = new Uint32Array(memory.frameFacts);
      this.frameChoices = new Uint32Array(memory.frameChoices);
      this.nextShadow = new Uint32Array(memory.nextShadow);
    } catch (cause) {
      throw fromAddonError(cause);
    }
  }

  info(): EngineInfo {
    return { interfaceNumber: this.addon.interfaceNumber, ...this.addon.info() };
  }

  open(options: OpenOptions): Promise<OpenedModel> {
    return this.slowCalls.run(() => {
      this.mustRun();
      checkAllowedCpus('intra_op_cpus', options.intraOpCpus ?? []);
      return this.addon.openModel(options);
    });
  }

  start(handle: ModelHandle, plan: ServePlan, warmUpRows = 0): Promise<StartReport> {
    return this.slowCalls.run(() => {
      this.mustRun();
      return this.addon.startModel(handle, plan, warmUpRows);
    });
  }

  close(handle: ModelHandle): Promise<void> {
    // What has chosen the version keeps it.
    this.submitChosen();
    return this.slowCalls.run(() => this.addon.closeModel(handle));
  }

  submit(
    handle: ModelHandle,
    headLength: number,
    body: ArrayBuffer,
    timeoutMs: number,
    priority: number,
    sink: ReplySink,
  ): number {
    return this.accepted(this.addon.submit(handle, headLength, body, timeoutMs, priority), sink);
  }

  submitBody(
    handle: ModelHandle,
    headLength: number,
    bodyId: number,
    timeoutMs: number,
    priority: number,
    sink: ReplySink,
  ): number {
    return this.accepted(this.addon.submitBody(handle, headLength, bodyId, timeoutMs, priority), sink);
  }

  readFrames(message: ArrayBuffer): number {
    return this.addon.readFrames(message);
  }

  submitFrame(
    handle: ModelHandle,
    bodyId: number,
    timeoutMs: number,
    priority: number,
    shadow: number,
    sink: ReplySink,
  ): number {
    if (this.chosenFrames === FRAME_CHOICE_ROWS) this.submitChosen();
    const choices = this.frameChoices;
    const at = this.chosenFrames * FRAME_CHOICE_FIELDS;
    choices[at + FRAME_CHOICE.BODY] = bodyId;
    choices[at + FRAME_CHOICE.HANDLE] = handle;
    choices[at + FRAME_CHOICE.DEADLINE_MS] = timeoutMs;
    choices[at + FRAME_CHOICE.PRIORITY] = priority;
    choices[at + FRAME_CHOICE.SHADOW] = shadow;
    this.chosenFrames += 1;
    return this.accepted(bodyId, sink);
  }

  frameText(bodyId: number, field: number): string {
    return this.addon.frameText(bodyId, field);
  }

  numberFrameModel(modelName: string, number: number): void {
    this.addon.numberFrameModel(modelName, number);
  }

  onDelivered(listener: () => void): void {
    this.answers.afterDelivery = listener;
  }

  get deliveredAt(): number {
    return this.answers.deliveredAt;
  }

  deliveredTimesUs(): Float32Array {
    return this.answers.timesUs();
  }

  keepDelivered(): (() => void) | undefined {
    return this.answers.keep();
  }

  lastErrorText(): string {
    return this.addon.lastErrorText();
  }

  lastRetryMs(): number {
    return this.addon.lastRetryMs();
  }

  get isCrowded(): boolean {
    return this.crowdedTicks > 0;
  }

  refuseUnread(handle: ModelHandle, timeoutMs: number): number {
    const answer = this.addon.refuseUnread(handle, timeoutMs);
    if (answer < 0) this.noteCrowd();
    return answer;
  }

  cancel(ticket: number): void {
    this.addon.cancel(ticket);
    // One that waited is answered already; nobody else may come to fetch it.
    this.armTick();
  }

  bodyOpen(expectedBytes: number): number {
    return this.addon.bodyOpen(expectedBytes);
  }

  bodyAppend(bodyId: number, chunk: ArrayBuffer): void {
    this.addon.bodyAppend(bodyId, chunk);
  }

  bodyDrop(bodyId: number): void {
    this.addon.bodyDrop(bodyId);
  }

  stats(handle: ModelHandle): VersionStats {
    return this.addon.stats(handle);
  }

  statsMark(handle: ModelHandle): bigint {
    return this.addon.statsMark(handle);
  }

  openShadow(primary: ModelHandle, shadow: ModelHandle, rules: ShadowRules): number {
    try {
      return this.addon.openShadow(primary, shadow, rules);
    } catch (cause) {
      throw fromAddonError(cause);
    }
  }

  /** Nobody waits for it, so it does not keep the process alive: the engine may close before it is done. */
  closeShadow(shadow: number): Promise<boolean> {
    return this.addon.closeShadow(shadow);
  }

  shadowNext(shadow: number): void {
    this.nextShadow[0] = shadow;
  }

  shadowFacts(shadow: number): ShadowFacts {
    try {
      return this.addon.shadowReport(shadow);
    } catch (cause) {
      throw fromAddonError(cause);
    }
  }

  shadowMismatches(shadow: number): Promise<ShadowMismatch[]> {
    return this.slowCalls.run(() => this.addon.shadowMismatches(shadow));
  }

  async shutdown(): Promise<void> {
    if (this.isStopping) return;
    this.isStopping = true;
    await this.answers.settled();
    // What loads or closes comes to its end: after `closeEngine` nobody would hear of it.
    await this.slowCalls.settled();
    this.addon.closeEngine();
  }

  private mustRun(): void {
    if (this.isStopping) throw new SluiceError('DRAINING', 'the server is shutting down');
  }

  private accepted(ticket: number, sink: ReplySink): number {
    if (ticket < 0) {
      if (ticket === -QUEUE_FULL) this.noteCrowd();
      return ticket;
    }
    this.answers.expect(ticket, sink);
    this.armTick();
    return ticket;
  }

  private submitChosen(): void {
    if (this.chosenFrames > 0) this.addon.submitFrames(this.chosenFrames);
    this.chosenFrames = 0;
  }

  /** The tick's end is where the loop may rest, and where the crowd may be over. */
  private noteCrowd(): void {
    this.crowdedTicks = CROWDED_TICKS;
    this.armTick();
  }

  private armTick(): void {
    if (this.isTickArmed) return;
    this.isTickArmed = true;
    setImmediate(this.onTickEnd);
  }

  private readonly onTickEnd = (): void => {
    this.isTickArmed = false;
    if (this.crowdedTicks > 0) this.crowdedTicks -= 1;
    const { chosenFrames } = this;
    this.chosenFrames = 0;
    this.deliver(this.addon.flush(chosenFrames));
  };

  private readonly onWake = (): void => {
    this.deliver(this.addon.drain());
  };

  private deliver(rows: number): void {
    if (this.answers.deliver(rows)) this.noteCrowd();
  }
}
