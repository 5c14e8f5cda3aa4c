//! An HTTP server that answers what a test says, and names that lead where a test says.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use slipstream_commands::ports::{FetchError, RemoteFile, SourceUrl, Web};
use slipstream_web::{HttpWeb, Reach, Resolver, WebSettings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Answers by path. Anything else is not found.
pub(crate) type Answers = BTreeMap<&'static str, Answer>;

/// What is written, in this order.
#[derive(Clone)]
pub(crate) struct Answer {
    /// Status and headers, a line each; the empty one behind them is written too.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    pub(crate) then: Then,
}

#[derive(Clone, Copy)]
pub(crate) enum Then {
    /// The connection is closed.
    Close,
    /// Nothing more comes.
    Silence,
    /// The body again and again.
    Endless,
}

/// A body of these bytes.
pub(crate) fn file(headers: &str, body: &[u8]) -> Answer {
    Answer { head: format!("200 OK\r\n{headers}"), body: body.to_vec(), then: Then::Close }
}

pub(crate) fn redirect(location: &str) -> Answer {
    let head = format!("302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\n");
    Answer { head, body: Vec::new(), then: Then::Close }
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    /// The heads of all requests.
    pub(crate) asked: Arc<Mutex<Vec<String>>>,
    _serving: JoinSet<()>,
}

impl Server {
    pub(crate) async fn start(answers: Answers) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let mut serving = JoinSet::new();
        let noted = asked.clone();
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                connections.spawn(answer(socket, answers.clone(), noted.clone()));
            }
        });
        Self { address, asked, _serving: serving }
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(crate) fn requests(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

async fn answer(mut socket: TcpStream, answers: Answers, asked: Arc<Mutex<Vec<String>>>) {
    let (mut head, mut piece) = (Vec::new(), [0; 1024]);
    while !head.ends_with(b"\r\n\r\n") {
        match socket.read(&mut piece).await {
            Ok(read) if read > 0 => head.extend_from_slice(&piece[..read]),
            _ => return,
        }
    }
    let head = String::from_utf8(head).unwrap();
    let path = head.split(' ').nth(1).unwrap().to_owned();
    asked.lock().unwrap().push(head);
    let Some(answer) = answers.get(path.as_str()) else {
        drop(socket.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").await);
        return;
    };
    let begin = [format!("HTTP/1.1 {}\r\n", answer.head).into_bytes(), answer.body.clone()].concat();
    if socket.write_all(&begin).await.is_err() {
        return;
    }
    match answer.then {
        Then::Close => {}
        Then::Silence => std::future::pending().await,
        Then::Endless => while socket.write_all(&answer.body).await.is_ok() {},
    }
}

/// Names that lead where a test says; others lead nowhere.
#[derive(Default)]
pub(crate) struct Names(pub(crate) BTreeMap<&'static str, Vec<IpAddr>>);

#[async_trait]
impl Resolver for Names {
    async fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        self.0.get(name).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

/// Addresses of a name.
pub(crate) fn names<const N: usize>(names: [(&'static str, &[&str]); N]) -> Names {
    let parse = |addresses: &[&str]| addresses.iter().map(|address| address.parse().unwrap()).collect();
    Names(names.into_iter().map(|(name, addresses)| (name, parse(addresses))).collect())
}

/// As it is in production, but for the names and the patience.
pub(crate) fn web(names: Names) -> HttpWeb {
    build(Reach::default(), names)
}

/// The same, and this machine is as good as public.
pub(crate) fn near_web(names: Names) -> HttpWeb {
    build(Reach::public_and(vec![Ipv4Addr::LOCALHOST.into()]), names)
}

fn build(reach: Reach, names: Names) -> HttpWeb {
    let settings = WebSettings {
        connect: Duration::from_secs(5),
        silence: Duration::from_millis(300),
        whole: Duration::from_secs(2),
    };
    HttpWeb::new(reach, Arc::new(names), settings).unwrap()
}

pub(crate) async fn open(web: &HttpWeb, url: &str) -> Result<RemoteFile, FetchError> {
    web.open(&SourceUrl::parse(url).unwrap()).await
}
