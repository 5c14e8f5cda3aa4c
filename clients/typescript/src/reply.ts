/**
 * One reply as a client builds it: by (epoch, seq), never by seq alone. Knows no socket. Offsets of the protocol count bytes
 * of UTF-8, so each part keeps how many it has.
 */
import type { AiChatChunk, AiChatError, AiChatResponse, StreamResumed } from "./protocol.js";

/** The server has sent what it may not send; nothing that is built on it can be trusted. */
export class ProtocolViolation extends Error {}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

class Part {
  text = "";
  bytes = 0;

  append(text: string): void {
    this.text += text;
    this.bytes += encoder.encode(text).length;
  }

  /** Keeps the first so many bytes. */
  cut(bytes: number): void {
    if (bytes > this.bytes) throw new ProtocolViolation(`a cut at ${bytes} of ${this.bytes} bytes`);
    this.text = decoder.decode(encoder.encode(this.text).subarray(0, bytes));
    this.bytes = bytes;
  }

  /** What of a text that begins at `offset` is not there yet. */
  missingOf(text: string, offset: number): string {
    if (offset > this.bytes) throw new ProtocolViolation(`offset ${offset} is beyond the ${this.bytes} bytes there are`);
    if (offset === this.bytes) return text;
    return decoder.decode(encoder.encode(text).subarray(this.bytes - offset));
  }
}

/** A reply, as far as the client has it. */
export class Reply {
  /** The message that it becomes, once the server has said so. */
  messageId: string | undefined;
  /** How it ended; absent while it runs. */
  end: AiChatResponse | AiChatError | undefined;
  /** It was deleted or erased: nothing of it will come. */
  gone = false;
  /** 0 before anything is known of it. */
  #epoch = 0;
  #seq = 0;
  #text = new Part();
  #thinking = new Part();

  constructor(
    readonly conversationId: string,
    readonly generationId: string,
  ) {}

  get text(): string {
    return this.#text.text;
  }

  get thinking(): string {
    return this.#thinking.text;
  }

  get isOver(): boolean {
    return this.end !== undefined || this.gone;
  }

  /** Where the client stands: what `subscribe` asks to go on from. */
  get standing(): { generationId: string; epoch: number; seq: number } {
    return { generationId: this.generationId, epoch: Math.max(this.#epoch, 1), seq: this.#seq };
  }

  /** Takes the announcement of how the stream goes on. */
  resumed(frame: StreamResumed): void {
    this.messageId = frame.messageId ?? this.messageId;
    if (frame.mode === "gone") {
      this.gone = true;
      return;
    }
    const { epoch = 1, seq = 0, offset = { text: 0, thinking: 0 } } = frame;
    if (frame.mode === "reset") {
      if (epoch < this.#epoch || seq > this.#seq) throw new ProtocolViolation("a reset to what is not there");
      this.#text.cut(offset.text);
      this.#thinking.cut(offset.thinking);
      this.#seq = seq;
    }
    // Otherwise it is the place that was asked for; what came since stays.
    this.#epoch = epoch;
  }

  /** Takes a piece. False when something is missing before it: it is dropped then, and comes again after a `subscribe`. */
  chunk(frame: AiChatChunk): boolean {
    const { epoch, seq, count, offset, part } = frame;
    if (epoch === undefined || seq === undefined || count === undefined || offset === undefined) {
      throw new ProtocolViolation("a piece without its place");
    }
    const known = this.standing.epoch;
    if (epoch > known) throw new ProtocolViolation(`epoch ${epoch} without a reset from ${known}`);
    if (epoch < known || seq <= this.#seq) return true;
    if (seq - count > this.#seq) return false;
    const thinking = part === "thinking";
    const into = thinking ? this.#thinking : this.#text;
    into.append(into.missingOf((thinking ? frame.thinkingText : frame.chunk) ?? "", offset));
    this.#seq = seq;
    this.messageId = frame.messageId ?? this.messageId;
    return true;
  }

  /** Takes the end. False when something is missing before it. */
  ended(frame: AiChatResponse | AiChatError): boolean {
    if ((frame.epoch ?? 1) > this.standing.epoch || (frame.finalSeq ?? 0) > this.#seq) return false;
    this.messageId = frame.messageId ?? this.messageId;
    this.end = frame;
    return true;
  }
}
