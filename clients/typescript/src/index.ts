/** A client of the subprotocol `slipstream.v1`. */
export { Slipstream, Refused } from "./client.js";
export type { Asked, Options, Question, Sockets } from "./client.js";
export { Conversation } from "./conversation.js";
export { ProtocolViolation, Reply } from "./reply.js";
export type * from "./protocol.js";
