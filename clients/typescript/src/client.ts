/**
 * The connection: opens it, keeps it, and after a break puts everything back where it stood. Questions that were not
 * acknowledged are asked again under their own name, which the server accepts once; replies go on at their next token.
 */
import { Conversation } from "./conversation.js";
import type { Ack, AiChatRequest, ClientFrame, ServerFrame } from "./protocol.js";
import { ProtocolViolation, Reply } from "./reply.js";

/** What makes sockets: the browser's `WebSocket`, or another of its shape. */
export type Sockets = new (url: string, protocols: string[]) => WebSocket;

export interface Options {
  /** Where the gateway is, such as `wss://chat.example.com/`; asked for anew before each connection, so that it can carry a ticket. */
  url: string | (() => string | Promise<string>);
  /** Default: the platform's own. */
  sockets?: Sockets;
  /** Called after each frame of a reply, with what there is of it. */
  onReply?: (reply: Reply) => void;
  /** Called with every frame, after it was taken. */
  onFrame?: (frame: ServerFrame) => void;
  /** Called once when there is no coming back: the server does not know who this is, or does not take this page. */
  onGone?: (reason: string) => void;
  /** The pause before the first try to reconnect; it doubles up to 10 s. Default: 250. */
  firstPauseMs?: number;
}

/** A question. Its name is made here. */
export type Question = Omit<AiChatRequest, "type" | "clientMessageId" | "conversationId"> & {
  /** Default: a new conversation. */
  conversationId?: string;
};

/** A question that the server has taken. */
export interface Asked {
  ack: Ack;
  /** Resolves when the reply is over, or gone. A question that waits for another reply has none yet, but will. */
  finished: Promise<Reply>;
}

/** The server has refused a frame. */
export class Refused extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly retryAfterMs: number | undefined,
  ) {
    super(message);
  }
}

interface Waiting {
  frame: ClientFrame & { clientMessageId: string };
  taken: (ack: Ack) => void;
  refused: (error: Error) => void;
  /** It was sent before, on a connection that broke. */
  again: boolean;
}

const LONGEST_PAUSE_MS = 10_000;
/** Close codes after which another try has no other end: 4001 not authenticated, 4003 not from this page. */
const FOR_GOOD = [4001, 4003];
/** This server is about to stop; another one may have its place already. */
const DRAINING = 1012;

export class Slipstream {
  readonly conversations = new Map<string, Conversation>();
  readonly #options: Options;
  #socket: WebSocket | undefined;
  #open = false;
  #closed = false;
  #failures = 0;
  #pause: ReturnType<typeof setTimeout> | undefined;
  #heartbeat: ReturnType<typeof setInterval> | undefined;
  #heard = false;
  /** Questions that are not acknowledged, in the order of asking, which is that of the answers. */
  readonly #waiting: Waiting[] = [];
  readonly #finishing = new Map<string, ((reply: Reply) => void)[]>();

  /** Connects at once, and as often as it takes, until {@link close}. */
  constructor(options: Options) {
    this.#options = options;
    void this.#connect();
  }

  /** Asks. Resolves when the question is durable; a break meanwhile neither loses nor doubles it. */
  ask(question: Question): Promise<Asked> {
    const clientMessageId = crypto.randomUUID();
    const conversationId = question.conversationId ?? "new-chat";
    const frame = { ...question, conversationId, type: "ai_chat_request" as const, clientMessageId };
    return new Promise((resolve, refused) => {
      const taken = (ack: Ack) => resolve({ ack, finished: this.finished(ack) });
      this.#waiting.push({ frame, taken, refused, again: false });
      if (this.#open) this.#send(frame);
    });
  }

  /** Resolves when a reply is over, or gone. */
  finished({ conversationId, generationId }: { conversationId: string; generationId?: string }): Promise<Reply> {
    if (generationId === undefined) return Promise.reject(new Error("no reply was asked for"));
    const reply = this.#conversation(conversationId).reply(generationId);
    if (reply.isOver) return Promise.resolve(reply);
    return new Promise((resolve) => {
      this.#finishing.set(generationId, [...(this.#finishing.get(generationId) ?? []), resolve]);
    });
  }

  /** Follows a conversation that somebody else may be asking in, such as another tab. */
  follow(conversationId: string): Conversation {
    const conversation = this.#conversation(conversationId);
    if (this.#open) this.#send(conversation.subscribe());
    return conversation;
  }

  unfollow(conversationId: string): void {
    if (this.conversations.delete(conversationId)) this.send({ type: "unsubscribe", conversationId });
  }

  /** Stops a reply. Losing the connection never does. */
  cancel(generationId: string): void {
    this.send({ type: "ai_chat_cancel", generationId });
  }

  /** Sends a frame if there is a connection; what is sent so is not sent again. */
  send(frame: ClientFrame): void {
    if (this.#open) this.#send(frame);
  }

  /** Ends the connection for good. What was not acknowledged is refused. */
  close(): void {
    this.#end("closed by its user");
    this.#socket?.close(1000);
  }

  async #connect(): Promise<void> {
    this.#pause = undefined;
    const { url, sockets = globalThis.WebSocket } = this.#options;
    let to: string;
    try {
      to = typeof url === "string" ? url : await url();
    } catch {
      return this.#reconnect(0);
    }
    if (this.#closed) return;
    const socket = new sockets(to, ["slipstream.v1"]);
    this.#socket = socket;
    socket.onmessage = ({ data }) => {
      if (socket === this.#socket) this.#take(JSON.parse(String(data)) as ServerFrame);
    };
    socket.onclose = ({ code }) => {
      if (socket === this.#socket) this.#reconnect(code);
    };
  }

  #reconnect(code: number): void {
    this.#open = false;
    clearInterval(this.#heartbeat);
    if (this.#closed) return;
    if (FOR_GOOD.includes(code)) {
      const reason = code === 4001 ? "not authenticated" : "this page may not connect";
      this.#end(reason);
      this.#options.onGone?.(reason);
      return;
    }
    const first = this.#options.firstPauseMs ?? 250;
    const pause = code === DRAINING ? first : Math.min(first * 2 ** this.#failures, LONGEST_PAUSE_MS);
    this.#failures += 1;
    // Not all clients of a server that is gone come back at the same moment.
    this.#pause = setTimeout(() => void this.#connect(), pause * (0.5 + Math.random() / 2));
  }

  #end(reason: string): void {
    this.#closed = true;
    this.#open = false;
    clearTimeout(this.#pause);
    clearInterval(this.#heartbeat);
    for (const { refused } of this.#waiting.splice(0)) refused(new Error(reason));
  }

  #take(frame: ServerFrame): void {
    this.#heard = true;
    try {
      this.#apply(frame);
    } catch (error) {
      if (!(error instanceof ProtocolViolation)) throw error;
      // What is known of it cannot be trusted any more: from the beginning.
      if ("conversationId" in frame && frame.conversationId !== undefined) this.#startOver(frame.conversationId);
    }
    this.#options.onFrame?.(frame);
  }

  #apply(frame: ServerFrame): void {
    switch (frame.type) {
      case "connection_established":
        return this.#established(frame.heartbeatMs);
      case "ack":
        return this.#acknowledged(frame);
      case "error":
        // Answers come in the order of what they answer.
        return this.#waiting.shift()?.refused(new Refused(frame.code, frame.message, frame.retryAfterMs));
      default:
        if (!("conversationId" in frame) || frame.conversationId === undefined) return;
        return this.#ofConversation(frame.conversationId, frame);
    }
  }

  #established(heartbeatMs: number): void {
    this.#open = true;
    this.#failures = 0;
    for (const conversation of this.conversations.values()) this.#send(conversation.subscribe());
    for (const waiting of this.#waiting) {
      this.#send(waiting.frame);
      waiting.again = true;
    }
    this.#heard = true;
    this.#heartbeat = setInterval(() => this.#beat(), heartbeatMs);
  }

  /** A connection that says nothing to a ping is dead, whatever the operating system still believes. */
  #beat(): void {
    const socket = this.#socket;
    if (this.#heard || socket === undefined) {
      this.#heard = false;
      return this.#send({ type: "ping" });
    }
    this.#socket = undefined;
    socket.close();
    this.#reconnect(0);
  }

  #acknowledged(ack: Ack): void {
    const at = this.#waiting.findIndex(({ frame }) => frame.clientMessageId === ack.clientMessageId);
    const [waiting] = at < 0 ? [] : this.#waiting.splice(at, 1);
    const conversation = this.#conversation(ack.conversationId);
    waiting?.taken(ack);
    // What was asked before a break may be answered already; nobody sends that unasked.
    if (waiting?.again) this.#send(conversation.subscribe());
  }

  #ofConversation(id: string, frame: ServerFrame): void {
    const conversation = this.conversations.get(id);
    // News of a conversation that is not followed is the user's list's matter.
    if (conversation === undefined && (frame.type.startsWith("conversation:") || frame.type === "typing")) return;
    const known = conversation ?? this.#conversation(id);
    if (known.take(frame)) this.#send(known.subscribe());
    if (!("generationId" in frame) || frame.generationId === undefined) return;
    const reply = known.replies.get(frame.generationId);
    if (reply === undefined) return;
    this.#options.onReply?.(reply);
    if (!reply.isOver) return;
    for (const resolve of this.#finishing.get(reply.generationId) ?? []) resolve(reply);
    this.#finishing.delete(reply.generationId);
  }

  #startOver(id: string): void {
    if (!this.conversations.has(id)) return;
    this.conversations.set(id, new Conversation(id));
    this.follow(id);
  }

  #conversation(id: string): Conversation {
    let conversation = this.conversations.get(id);
    if (conversation === undefined) {
      conversation = new Conversation(id);
      this.conversations.set(id, conversation);
    }
    return conversation;
  }

  #send(frame: ClientFrame): void {
    this.#socket?.send(JSON.stringify(frame));
  }
}
