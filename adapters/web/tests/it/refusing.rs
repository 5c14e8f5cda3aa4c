//! Addresses that nothing is fetched from, however they are written and whatever leads there. A server listens at this
//! machine's own: it must not be asked.

use slipstream_commands::ports::FetchError;

use crate::server::{Answers, Names, Server, file, names, near_web, open, redirect, web};

async fn secrets() -> Server {
    Server::start(Answers::from([("/", file("content-length: 6\r\n", b"secret"))])).await
}

#[tokio::test]
async fn an_address_inside_is_refused_in_every_notation_and_never_asked() {
    let server = secrets().await;
    let web = web(Names::default());
    for host in [
        "127.0.0.1",
        "[::1]",
        "0",
        "0.0.0.0",
        "[::]",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0x7f.0.0.1",
        "0177.0.0.1",
        "017700000001",
        "127.0.0.1.",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "169.254.169.254",
        "2852039166",
        "0xa9fea9fe",
        "[::ffff:169.254.169.254]",
        "[fd00:ec2::254]",
        "10.0.0.1",
        "10.255.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "[fe80::1]",
        "[fc00::1]",
        "224.0.0.1",
        "255.255.255.255",
    ] {
        let url = format!("http://{host}:{}/", server.port());
        assert_eq!(open(&web, &url).await.err(), Some(FetchError::NotPublic), "{host}");
    }
    assert_eq!(server.requests(), 0);
}

#[tokio::test]
async fn a_name_that_leads_inside_is_refused_and_one_that_leads_inside_too() {
    let server = secrets().await;
    let web = web(names([
        ("inside.example", &["127.0.0.1"]),
        ("mapped.example", &["::ffff:127.0.0.1"]),
        ("both.example", &["93.184.215.14", "127.0.0.1"]),
        ("both6.example", &["127.0.0.1", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"]),
        ("metadata.example", &["169.254.169.254"]),
        ("ten.example", &["10.1.2.3"]),
        ("localhost", &["127.0.0.1", "::1"]),
    ]));
    for name in [
        "inside.example",
        "INSIDE.example",
        "mapped.example",
        "both.example",
        "both6.example",
        "metadata.example",
        "ten.example",
        "localhost",
    ] {
        let url = format!("http://{name}:{}/", server.port());
        assert_eq!(open(&web, &url).await.err(), Some(FetchError::NotPublic), "{name}");
    }
    assert_eq!(server.requests(), 0);
}

#[tokio::test]
async fn a_redirect_that_leads_inside_is_refused() {
    let inside = secrets().await;
    // The test's own machine may be asked as 127.0.0.1 alone; every other way in is closed.
    let port = inside.port();
    let answers = Answers::from([
        ("/metadata", redirect("http://169.254.169.254/latest/meta-data/")),
        ("/ten", redirect("http://10.0.0.1/")),
        ("/six", redirect(&format!("http://[::1]:{port}/"))),
        ("/name", redirect(&format!("http://inside.example:{port}/"))),
        ("/both", redirect(&format!("//both.example:{port}/"))),
    ]);
    let server = Server::start(answers).await;
    let web =
        near_web(names([("inside.example", &["127.0.0.2"]), ("both.example", &["127.0.0.1", "127.0.0.2"])]));
    for path in ["/metadata", "/ten", "/six", "/name", "/both"] {
        let url = format!("http://{}{path}", server.address);
        assert_eq!(open(&web, &url).await.err(), Some(FetchError::NotPublic), "{path}");
    }
    assert_eq!((server.requests(), inside.requests()), (5, 0));
}

#[tokio::test]
async fn this_machine_is_not_asked_unless_the_operator_says_so() {
    let server = secrets().await;
    let url = format!("http://files.example:{}/", server.port());
    let name = || names([("files.example", &["127.0.0.1"])]);
    assert_eq!(open(&web(name()), &url).await.err(), Some(FetchError::NotPublic));
    assert!(open(&near_web(name()), &url).await.is_ok());
}
