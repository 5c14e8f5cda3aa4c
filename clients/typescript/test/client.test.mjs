// The client against a real gateway: SLIPSTREAM_URL, without a path. The compiled client is found by SLIPSTREAM_CLIENT.
import assert from "node:assert/strict";
import { createHash, randomUUID } from "node:crypto";
import { test } from "node:test";

const { ProtocolViolation, Refused, Reply, Slipstream } = await import(process.env.SLIPSTREAM_CLIENT);
const base = process.env.SLIPSTREAM_URL;
const sockets = [];

/** The platform's, but a test can pull its plug. */
class Fragile extends WebSocket {
  constructor(...how) {
    super(...how);
    sockets.push(this);
  }
}

function connect(email, options = {}) {
  return new Slipstream({ url: `${base}/?email=${email}`, sockets: Fragile, firstPauseMs: 20, ...options });
}

const prompt = (chunks, delay) => `[[chunks=${chunks} bytes=7 delay_ms=${delay} thinking=3]] Grüße 👋`;
const sha256 = (text) => createHash("sha256").update(text).digest("hex");

test("a question is answered, and the text is the one that the server vouches for", async () => {
  const client = connect(`${randomUUID()}@example.com`);
  const { ack, finished } = await client.ask({ prompt: prompt(20, 0), provider: "openai" });
  const reply = await finished;
  assert.equal(reply.end.type, "ai_chat_response");
  assert.equal(reply.end.status, "completed");
  assert.equal(sha256(reply.text), reply.end.digest);
  assert.ok(reply.thinking.length > 0);
  assert.equal(reply.messageId, reply.end.messageId);
  const more = await client.ask({ conversationId: ack.conversationId, prompt: prompt(2, 0), provider: "openai" });
  assert.equal((await more.finished).end.status, "completed");
  assert.equal(client.conversations.get(ack.conversationId).replies.size, 2);
  client.close();
});

test("a reply goes on exactly where it stood, however often the connection breaks", async () => {
  let breaks = 0;
  let seen = 0;
  const texts = [];
  const client = connect(`${randomUUID()}@example.com`, {
    onReply: (reply) => {
      assert.ok(reply.text.startsWith(texts.at(-1) ?? ""), "nothing that was shown is taken back");
      texts.push(reply.text);
      if (reply.text.length > seen + 40 && breaks < 5) {
        seen = reply.text.length;
        breaks += 1;
        sockets.at(-1).close();
      }
    },
  });
  const { finished } = await client.ask({ prompt: prompt(100, 5), provider: "openai" });
  const reply = await finished;
  assert.equal(breaks, 5);
  assert.equal(sha256(reply.text), reply.end.digest);
  client.close();
});

test("a question that a break swallowed is asked again and answered once", async () => {
  const client = connect(`${randomUUID()}@example.com`, { onFrame: (frame) => frames.push(frame) });
  const frames = [];
  const first = await client.ask({ prompt: prompt(1, 0), provider: "openai" });
  await first.finished;
  const asking = client.ask({ conversationId: first.ack.conversationId, prompt: prompt(3, 0), provider: "openai" });
  sockets.at(-1).close();
  const { finished } = await asking;
  assert.equal((await finished).end.status, "completed");
  const posted = frames.filter((frame) => frame.type === "message:posted").map((frame) => frame.messageId);
  assert.equal(new Set(posted).size, 2);
  client.close();
});

test("two clients of a user see the same conversation", async () => {
  const email = `${randomUUID()}@example.com`;
  const [one, other] = [connect(email), connect(email)];
  const { ack, finished } = await one.ask({ prompt: prompt(60, 5), provider: "openai" });
  other.follow(ack.conversationId);
  const [here, there] = await Promise.all([finished, other.finished(ack)]);
  assert.equal(there.text, here.text);
  one.close();
  other.close();
});

test("what is refused says why, and what is stopped ends as cancelled", async () => {
  const client = connect(`${randomUUID()}@example.com`);
  await assert.rejects(client.ask({ prompt: "hello", provider: "nobody" }), (error) => {
    assert.ok(error instanceof Refused);
    assert.equal(error.code, "bad_frame");
    return true;
  });
  const { ack, finished } = await client.ask({ prompt: prompt(1000, 20), provider: "openai" });
  client.cancel(ack.generationId);
  assert.equal((await finished).end.status, "cancelled");
  client.close();
  await assert.rejects(connect("nobody").ask({ prompt: "hello", provider: "openai" }), /not authenticated/);
});

test("pieces are taken by their place: known ones are dropped, overlaps sliced, gaps noticed", () => {
  const reply = new Reply("c", "g");
  const chunk = (seq, count, offset, text) =>
    reply.chunk({ type: "ai_chat_chunk", epoch: 1, seq, count, offset, part: "text", chunk: text });
  assert.ok(chunk(1, 1, 0, "né"));
  assert.ok(chunk(1, 1, 0, "né"));
  assert.ok(chunk(3, 3, 0, "né 👋!"));
  assert.ok(!chunk(5, 1, 9, "?"));
  assert.equal(reply.text, "né 👋!");
  reply.resumed({ type: "stream:resumed", mode: "reset", epoch: 2, seq: 1, offset: { text: 3, thinking: 0 } });
  assert.equal(reply.text, "né");
  assert.ok(chunk(2, 1, 3, "of the epoch before"));
  const next = { type: "ai_chat_chunk", epoch: 2, seq: 2, count: 1, part: "text", chunk: "x" };
  assert.throws(() => reply.chunk({ ...next, epoch: 3, offset: 3 }), ProtocolViolation);
  assert.throws(() => reply.chunk({ ...next, offset: 4 }), ProtocolViolation);
  assert.ok(reply.chunk({ ...next, offset: 3 }));
  assert.equal(reply.text, "néx");
});
