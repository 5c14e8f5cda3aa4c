/** A conversation as a client follows it: its version, its events, its replies. Knows no socket. */
import type { ServerFrame } from "./protocol.js";
import { Reply } from "./reply.js";

export class Conversation {
  /** The version that the client has, gapless from 1. */
  version = 0;
  /** Its replies, by their generations, in the order in which they were requested. */
  readonly replies = new Map<string, Reply>();
  deleted = false;
  /** A subscription is being answered: gaps are not asked for again until it is. */
  #resuming = false;

  constructor(readonly id: string) {}

  /** What resumes it where it stands; the connection is new, or something is missing. */
  subscribe(): { type: "subscribe"; conversationId: string; version: number; generations: Reply["standing"][] } {
    this.#resuming = true;
    const running = [...this.replies.values()].filter((reply) => !reply.isOver);
    // As many as one frame may ask for; of others the server tells what runs.
    const generations = running.slice(-16).map((reply) => reply.standing);
    return { type: "subscribe", conversationId: this.id, version: this.version, generations };
  }

  /** Takes a frame of its own. True when something is missing that has not been asked for yet: subscribe. */
  take(frame: ServerFrame): boolean {
    const whole = this.#apply(frame);
    return !whole && !this.#resuming;
  }

  reply(generationId: string): Reply {
    let reply = this.replies.get(generationId);
    if (reply === undefined) {
      reply = new Reply(this.id, generationId);
      this.replies.set(generationId, reply);
    }
    return reply;
  }

  #apply(frame: ServerFrame): boolean {
    switch (frame.type) {
      case "caught_up":
        if (frame.version === this.version) this.#resuming = false;
        return true;
      case "stream:resumed":
        this.reply(frame.generationId).resumed(frame);
        return true;
      case "ai_chat_chunk":
        return frame.generationId === undefined || this.reply(frame.generationId).chunk(frame);
      case "ai_chat_response":
      case "ai_chat_error":
        return frame.generationId === undefined || this.reply(frame.generationId).ended(frame);
      default:
        return this.#event(frame);
    }
  }

  #event(frame: ServerFrame): boolean {
    const version = "version" in frame ? frame.version : undefined;
    if (version === undefined) return true;
    if (frame.type === "conversation:deleted") this.deleted = true;
    // Nothing is told of a deleted conversation but that it is.
    if (version === this.version + 1 || this.deleted) this.version = version;
    return version <= this.version;
  }
}
