/**
 * One socket after another to the same server: sends mutants of which the verdict is known, waits until it is certain what
 * the server made of each, and tells the judge. A request behind them whose answer is known says that there is nothing more.
 */
import { ByteBuffer } from 'flatbuffers';
import { FrameWriter } from '../../dist/client/frame-writer.js';
import { framesOf } from '../../dist/wire/bundles.js';
import { Frame } from '../../dist/wire/generated/frame.js';
import { messageBytes, OPCODES, RawWs } from '../../bench/raw-ws.mjs';

const MARK_ID = 0xffff_fff0;
const MARK = messageBytes(
  new FrameWriter().writeRequest(
    { id: MARK_ID, model: 'nobody', modelNumber: 0, deadlineMs: 0, options: {} },
    [],
  ),
);

export class MutantLane {
  #ws;
  /** By id: mutants of this step without an answer. */
  #waiting = new Map();
  #isMarkOut = false;
  #wake = () => undefined;
  #closeCode;

  constructor(port, judge) {
    this.port = port;
    this.judge = judge;
  }

  close() {
    this.#ws?.drop();
  }

  async send(mutants) {
    await this.#open();
    this.#waiting = new Map(mutants.map((mutant) => [mutant.verdict.id, mutant]));
    this.#isMarkOut = true;
    const isOver = new Promise((resolve) => (this.#wake = resolve));
    this.#ws.send(Buffer.concat([...mutants.map(({ bytes }) => messageBytes(bytes)), MARK]));
    await isOver;
    for (const { verdict, bytes } of this.#left(mutants)) {
      const answer = this.#closeCode === undefined ? 'nothing' : `close ${this.#closeCode}`;
      const expected = verdict.code === undefined ? 'nothing' : `close ${verdict.code}`;
      const isRight = answer === expected && (verdict.code !== undefined || verdict.says.endsWith('cancel'));
      this.judge.note(verdict, answer, isRight, bytes);
    }
  }

  /** The answer to a request that is in order; undefined where the socket ended. */
  async ask(frame) {
    await this.#open();
    const answer = new Promise((resolve) => (this.#wake = resolve));
    this.#ws.send(messageBytes(frame));
    return answer;
  }

  #left(mutants) {
    return mutants.filter(({ verdict }) => verdict.id === undefined || this.#waiting.has(verdict.id));
  }

  async #open() {
    if (this.#ws !== undefined) return;
    this.#closeCode = undefined;
    let isReady = () => undefined;
    const hello = new Promise((resolve) => (isReady = resolve));
    this.#ws = await RawWs.open(this.port, {
      onFrame: (opcode, bytes) => this.#take(opcode, bytes, isReady),
      onEnd: () => this.#end(1006),
    });
    await hello;
  }

  #take(opcode, bytes, isReady) {
    this.judge.look(bytes);
    if (opcode === OPCODES.CLOSE) return this.#end(bytes.length < 2 ? 1005 : bytes.readUInt16BE(0));
    if (opcode === OPCODES.BINARY) for (const frame of framesOf(bytes)) this.#takeFrame(frame, isReady);
  }

  #takeFrame(bytes, isReady) {
    const frame = Frame.getRootAsFrame(new ByteBuffer(bytes));
    if (frame.hello() !== null) return isReady();
    const answer = frame.response() ?? frame.error();
    const id = answer.id();
    if (id === MARK_ID && this.#isMarkOut) this.#isMarkOut = false;
    else if (this.#waiting.has(id)) this.#note(id, frame, bytes);
    else return this.#wake(Buffer.from(bytes));
    if (!this.#isMarkOut && [...this.#waiting.keys()].every((waiting) => waiting === undefined)) this.#wake();
  }

  #note(id, frame, bytes) {
    const { verdict, bytes: sent } = this.#waiting.get(id);
    this.#waiting.delete(id);
    const error = frame.error();
    if (error !== null) {
      const isSame = verdict.message === undefined || verdict.message === error.message();
      const isLate = verdict.mayExpire === true && error.name() === 'DEADLINE_PASSED';
      this.judge.note(verdict, error.name(), (isSame && verdict.name === error.name()) || isLate, sent);
      return;
    }
    const { reply } = verdict;
    const isRight =
      reply !== undefined && (verdict.isTimed ? reply.length === bytes.length : reply.equals(bytes));
    this.judge.note(verdict, 'response', isRight, sent);
  }

  #end(code) {
    if (this.#ws === undefined) return;
    this.#closeCode = code;
    this.#ws.drop();
    this.#ws = undefined;
    this.#wake();
  }
}

/** The models of a server by their numbers. */
export async function readHello(port) {
  let take = () => undefined;
  const first = new Promise((resolve) => (take = resolve));
  const ws = await RawWs.open(port, { onFrame: (_, bytes) => take(Buffer.from(bytes)) });
  const hello = Frame.getRootAsFrame(new ByteBuffer(await first)).hello();
  ws.drop();
  const models = Array.from({ length: hello.modelsLength() }, (_, index) => hello.models(index));
  return new Map(models.map((model) => [model.number(), model.name()]));
}

/** The bytes of the first output of an answer. */
export function readOutput(bytes) {
  if (bytes === undefined) return undefined;
  return Frame.getRootAsFrame(new ByteBuffer(bytes)).response()?.outputs(0)?.dataArray() ?? undefined;
}
