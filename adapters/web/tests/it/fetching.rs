//! Files that come, and those that do not come to their end.

use futures::TryStreamExt;
use slipstream_commands::ports::{FetchError, RemoteFile};

use crate::server::{Answer, Answers, Names, Server, Then, file, names, near_web, open, redirect};

async fn whole(file: RemoteFile) -> std::io::Result<Vec<u8>> {
    file.bytes.try_fold(Vec::new(), async |whole, piece| Ok([whole, piece.to_vec()].concat())).await
}

#[tokio::test]
async fn a_file_comes_with_what_its_server_says_of_it() {
    let headers = "content-type: image/png; x=y\r\ncontent-length: 5\r\n";
    let server = Server::start(Answers::from([("/a/photo%201.png?size=big", file(headers, b"bytes"))])).await;
    let web = near_web(names([("files.example", &["127.0.0.1"])]));
    let url = format!("http://files.example:{}/a/photo%201.png?size=big#part", server.port());
    let found = open(&web, &url).await.unwrap();
    assert_eq!(found.mime.as_ref().map(slipstream_domain::MediaType::as_str), Some("image/png"));
    assert_eq!((found.filename.as_deref(), found.size), (Some("photo 1.png"), Some(5)));
    assert_eq!(whole(found).await.unwrap(), b"bytes");
    let asked = server.asked.lock().unwrap().pop().unwrap();
    assert!(
        asked.contains("accept-encoding: identity")
            && !asked.contains("cookie")
            && !asked.contains("referer")
    );
}

#[tokio::test]
async fn a_length_that_nobody_says_is_not_known_and_the_file_comes_whole() {
    let chunked = file("transfer-encoding: chunked\r\n", b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
    let server =
        Server::start(Answers::from([("/", file("", b"until the end")), ("/chunked", chunked)])).await;
    let web = near_web(Names::default());
    for (path, expected) in [("", &b"until the end"[..]), ("chunked", b"abcde")] {
        let found = open(&web, &format!("http://{}/{path}", server.address)).await.unwrap();
        assert_eq!((&found.mime, found.size), (&None, None));
        assert_eq!(whole(found).await.unwrap(), expected);
    }
}

#[tokio::test]
async fn fewer_bytes_than_were_said_are_an_error_and_more_are_not_read() {
    let short = file("content-length: 9\r\n", b"short");
    let long = file("content-length: 4\r\n", b"longer");
    let server = Server::start(Answers::from([("/short", short), ("/long", long)])).await;
    let web = near_web(Names::default());
    let cut = open(&web, &format!("http://{}/short", server.address)).await.unwrap();
    assert_eq!(cut.size, Some(9));
    assert!(whole(cut).await.is_err());
    let found = open(&web, &format!("http://{}/long", server.address)).await.unwrap();
    assert_eq!(whole(found).await.unwrap(), b"long");
}

#[tokio::test]
async fn three_redirects_are_followed_and_no_more() {
    let server = Server::start(Answers::from([
        ("/1", redirect("/2")),
        ("/2", redirect("3")),
        ("/3", redirect("?last")),
        ("/3?last", file("content-length: 2\r\n", b"ok")),
        ("/0", redirect("/1")),
        ("/round", redirect("/round")),
    ]))
    .await;
    let web = near_web(Names::default());
    let at = |path: &str| format!("http://{}{path}", server.address);
    assert_eq!(whole(open(&web, &at("/1")).await.unwrap()).await.unwrap(), b"ok");
    for path in ["/0", "/round"] {
        assert_eq!(open(&web, &at(path)).await.err(), Some(FetchError::TooManyRedirects), "{path}");
    }
}

#[tokio::test]
async fn an_answer_that_is_no_file_is_none() {
    let server = Server::start(Answers::from([("/nowhere", redirect("file:///etc/passwd"))])).await;
    let web = near_web(Names::default());
    let failed = async |url: String| open(&web, &url).await.err().unwrap();
    assert_eq!(failed(format!("http://{}/gone", server.address)).await, FetchError::Status(404));
    assert_eq!(failed(format!("http://{}/nowhere", server.address)).await, FetchError::Redirect);
    assert_eq!(failed("http://no-such-name.example/".to_owned()).await, FetchError::Unreachable);
    let port = server.port();
    drop(server);
    assert_eq!(failed(format!("http://127.0.0.1:{port}/")).await, FetchError::Unreachable);
}

#[tokio::test]
async fn a_server_that_falls_silent_or_never_ends_is_left() {
    let head = "200 OK\r\ncontent-type: text/plain\r\n".to_owned();
    let silent = Answer { head: head.clone(), body: b"then nothing".to_vec(), then: Then::Silence };
    let mute = Answer { head: "200 OK".to_owned(), body: Vec::new(), then: Then::Silence };
    let endless = Answer { head, body: b"more ".repeat(10), then: Then::Endless };
    let server =
        Server::start(Answers::from([("/silent", silent), ("/mute", mute), ("/endless", endless)])).await;
    let web = near_web(Names::default());
    let at = |path: &str| format!("http://{}{path}", server.address);
    assert!(whole(open(&web, &at("/silent")).await.unwrap()).await.is_err());
    assert_eq!(open(&web, &at("/mute")).await.err(), Some(FetchError::TimedOut));
    // Read as fast as it comes, and dropped at the deadline.
    let endless = open(&web, &at("/endless")).await.unwrap();
    let read = endless.bytes.try_fold(0_u64, async |sum, piece| Ok(sum + piece.len() as u64)).await;
    assert_eq!(read.unwrap_err().kind(), std::io::ErrorKind::TimedOut);
}
