//! What an operator may set of the gateway. Everything else is a constant beside its use.

use std::net::IpAddr;
use std::time::Duration;

/// The gateway's settings.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Values of the `Origin` header that may open a socket, such as `https://chat.example.com`. Without any, the pages of
    /// this machine may (`localhost`, `127.0.0.1`, `[::1]`). Clients that send no `Origin` (no browsers) are not asked.
    pub allowed_origins: Vec<String>,
    /// Sockets of one user in this process; one more is closed with 4029.
    pub sockets_per_user: usize,
    /// Sockets of one address in this process, those of this machine aside; one more is closed with 4029.
    pub sockets_per_address: usize,
    /// Addresses of proxies, which are believed whom they have a connection from (`X-Forwarded-For`).
    pub trusted_proxies: Vec<IpAddr>,
    /// Sockets of all users in this process; one more is closed with 4029.
    pub sockets: usize,
    /// Frames a second of one socket, and twice as many at once; more close it with 4029.
    pub frames_per_second: u32,
    /// Bytes of one message from a client; more close the socket with 1009.
    pub max_frame_bytes: usize,
    /// Replies under way at once on one socket.
    pub max_in_flight: u32,
    /// Conversations that one v1 socket may be subscribed to at once.
    pub max_conversations: usize,
    /// How long the terminal frame of a reply waits for the transcript (`04-streaming-and-resume`, "Ends").
    pub transcript_patience: Duration,
    /// After so long without a word from the bus a reader asks the log: hints may be lost, the log is not.
    pub look_every: Duration,
    /// How long a client may take for a request's head, and for its next request on the same connection, before the
    /// connection is cut.
    pub request_head: Duration,
    /// How long authentication may take before the socket is closed with 4001.
    pub authentication: Duration,
    /// Between two looks whether the sessions of sockets are still open.
    pub session_check: Duration,
    /// Unused tickets of one user.
    pub tickets_per_user: u32,
    /// How long a client may take nothing of what is written to it before it is closed with 4008.
    pub stall: Duration,
    /// How long a client has to take our close frame and answer it before the connection is cut.
    pub goodbye: Duration,
    /// How long, once the drain has begun, sockets stay for the replies under way on them, and HTTP requests have.
    pub drain: Duration,
    /// Seconds between pings.
    pub ping_every: u32,
    /// Seconds a client has to answer a ping before it is closed with 4010.
    pub ping_answer: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            allowed_origins: Vec::new(),
            sockets_per_user: 100,
            sockets_per_address: 1_000,
            trusted_proxies: Vec::new(),
            sockets: 100_000,
            frames_per_second: 2_000,
            max_frame_bytes: 4 * 1024 * 1024,
            max_in_flight: 8,
            max_conversations: 32,
            transcript_patience: Duration::from_secs(2),
            look_every: Duration::from_secs(15),
            request_head: Duration::from_secs(30),
            authentication: Duration::from_secs(10),
            session_check: Duration::from_secs(30),
            tickets_per_user: 16,
            stall: Duration::from_secs(15),
            goodbye: Duration::from_secs(2),
            drain: Duration::from_secs(5),
            ping_every: 25,
            ping_answer: 10,
        }
    }
}
