//! PDF files: their pages and their text, and files that are made to harm who reads them.

use std::process::Stdio;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::{Compress, Compression, FlushCompress};
use lopdf::content::{Content, Operation};
use lopdf::{Dictionary, Document, Object, Stream, dictionary};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use crate::client::Client;
use crate::process::{DataFolder, Dev, slipstream};

/// A document of pages with these texts.
fn pdf(pages: &[&str]) -> Vec<u8> {
    let mut document = Document::with_version("1.7");
    let root = document.new_object_id();
    let font =
        document.add_object(dictionary! { "Type" => "Font", "Subtype" => "Type1", "BaseFont" => "Courier" });
    let resources = document.add_object(dictionary! { "Font" => dictionary! { "F1" => font } });
    let mut kids = Vec::new();
    for text in pages {
        let operations = vec![
            Operation::new("BT", vec![]),
            Operation::new("Tf", vec!["F1".into(), 48.into()]),
            Operation::new("Tj", vec![Object::string_literal(*text)]),
            Operation::new("ET", vec![]),
        ];
        let content = Content { operations }.encode().unwrap();
        let content = document.add_object(Stream::new(Dictionary::new(), content));
        kids.push(
            document
                .add_object(dictionary! { "Type" => "Page", "Parent" => root, "Contents" => content })
                .into(),
        );
    }
    let count = i64::try_from(pages.len()).unwrap();
    document.objects.insert(
        root,
        dictionary! {
            "Type" => "Pages", "Kids" => kids, "Count" => count, "Resources" => resources,
            "MediaBox" => vec![0.into(), 0.into(), 595.into(), 842.into()],
        }
        .into(),
    );
    let catalog = document.add_object(dictionary! { "Type" => "Catalog", "Pages" => root });
    document.trailer.set("Root", catalog);
    let mut bytes = Vec::new();
    document.save_to(&mut bytes).unwrap();
    bytes
}

/// A page whose content is this much of nothing, packed.
fn bomb(mebibytes: usize) -> Vec<u8> {
    let (piece, mut packed) = (vec![b' '; 1024 * 1024], Vec::with_capacity(64 * 1024));
    // After a full flush the same bytes may come again; the header of zlib has two, and an empty block is the last.
    Compress::new(Compression::best(), true).compress_vec(&piece, &mut packed, FlushCompress::Full).unwrap();
    let (header, block) = packed.split_at(2);
    let packed = [header, &block.repeat(mebibytes), &[3, 0, 0, 0, 0, 0]].concat();
    let mut document = Document::load_mem(&pdf(&["boom"])).unwrap();
    let page = document.get_pages()[&1];
    assert!(packed.len() < mebibytes * 4096, "it is not packed");
    let filter = dictionary! { "Filter" => "FlateDecode" };
    let content = document.add_object(Stream::new(filter, packed));
    document.get_object_mut(page).unwrap().as_dict_mut().unwrap().set("Contents", content);
    let mut bytes = Vec::new();
    document.save_to(&mut bytes).unwrap();
    bytes
}

/// A tree of pages that has itself as its branch.
fn circle() -> Vec<u8> {
    let mut document = Document::load_mem(&pdf(&["round"])).unwrap();
    let root = document.catalog().unwrap().get(b"Pages").unwrap().as_reference().unwrap();
    let kids = vec![Object::Reference(root), Object::Reference(root)];
    document.get_object_mut(root).unwrap().as_dict_mut().unwrap().set("Kids", kids);
    let mut bytes = Vec::new();
    document.save_to(&mut bytes).unwrap();
    bytes
}

/// What the reader says of a file; `None` when it fails.
async fn read(bytes: &[u8]) -> Option<Value> {
    let mut command = slipstream(&["read-document", "64"]);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // Who refuses does not read on.
    drop(stdin.write_all(bytes).await);
    drop(stdin);
    let output = timeout(Duration::from_mins(1), child.wait_with_output()).await.expect("it ends").unwrap();
    output.status.success().then(|| serde_json::from_slice(&output.stdout).unwrap())
}

#[tokio::test]
async fn a_document_says_how_many_pages_it_has_and_how_it_begins() {
    let said = read(&pdf(&["Once upon a time", "there was"])).await.unwrap();
    assert_eq!(said["pages"], 2);
    let text = said["text"].as_str().unwrap();
    assert!(text.contains("Once upon a time") && text.contains("there was"), "{text}");
    let long = read(&pdf(&[&"long ".repeat(100)])).await.unwrap();
    assert_eq!(long["text"].as_str().unwrap().len(), 64);
    assert_eq!(read(&pdf(&[""])).await.unwrap(), json!({"pages": 1, "text": null}));
}

#[tokio::test]
async fn a_hostile_document_harms_its_reader_alone_and_says_nothing_or_little() {
    let nested =
        [b"%PDF-1.7\n1 0 obj\n".as_slice(), &b"[".repeat(3_000_000), b"endobj\ntrailer<</Root 1 0 R>>"]
            .concat();
    let good = pdf(&["cut"]);
    for (name, bytes) in [
        ("a bomb", bomb(4096)),
        ("a circle", circle()),
        ("too deep", nested),
        ("half a file", good[..good.len() / 2].to_vec()),
        ("no file", b"%PDF-1.7\n".to_vec()),
        ("nothing", Vec::new()),
    ] {
        if let Some(said) = read(&bytes).await {
            assert!(said["pages"].as_u64().unwrap_or_default() <= 2, "{name}: {said}");
            assert!(said["text"].as_str().unwrap_or_default().trim().len() <= 64, "{name}: {said}");
        }
    }
}

#[tokio::test]
async fn the_pages_of_an_uploaded_document_are_shown_and_a_hostile_one_stops_nobody() {
    let data = DataFolder::new();
    let dev = Dev::start(&data).await;
    let mut client = Client::connect(dev.address, "a@example.com").await;
    for (name, bytes) in [("good.pdf", pdf(&["one", "two", "three"])), ("circle.pdf", circle())] {
        let frame = json!({"type": "asset_upload_request", "filename": name, "contentType": "application/pdf",
            "base64": STANDARD.encode(bytes)});
        client.send(frame).await;
        assert_eq!(client.frame().await.unwrap()["type"], "asset_upload_response");
    }
    let listed = async {
        loop {
            let (_, list) = dev.get("/v1/attachments?email=a@example.com").await;
            let items = list["items"].as_array().unwrap().clone();
            if items.len() == 2 && items.iter().all(|file| file["status"] == "READY") {
                return items;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let listed = timeout(Duration::from_secs(10), listed).await.expect("both are listed");
    let good = listed.iter().find(|file| file["filename"] == "good.pdf").unwrap();
    assert_eq!(good["pages"], 3);
    assert!(dev.interrupt().await.success());
}
