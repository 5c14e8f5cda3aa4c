//! Golden files: what a vendor answers, byte for byte.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

/// One answer.
#[derive(Debug, Clone)]
pub(super) struct Golden {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    pub(super) end: End,
}

/// How an answer ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// As HTTP wants it.
    Proper,
    /// The connection is dropped in mid-body.
    Cut,
    /// Nothing more is sent, and the connection stays open.
    Silence,
}

/// All answers of a folder, by file name without extension.
#[derive(Debug)]
pub(super) struct GoldenFiles(BTreeMap<String, Golden>);

impl GoldenFiles {
    pub(super) fn read(folder: &Path) -> io::Result<Self> {
        let about = |path: &Path, error: &dyn std::fmt::Display| {
            io::Error::new(io::ErrorKind::InvalidData, format!("golden {}: {error}", path.display()))
        };
        let mut files = BTreeMap::new();
        for entry in std::fs::read_dir(folder).map_err(|error| about(folder, &error))? {
            let path = entry?.path();
            let parse: fn(&[u8]) -> Result<Golden, String> =
                match path.extension().and_then(|extension| extension.to_str()) {
                    Some("sse") => |body| Ok(Golden::stream(body)),
                    Some("http") => Golden::response,
                    Some(_) | None => continue,
                };
            let Some(name) = path.file_stem().and_then(|stem| stem.to_str()) else { continue };
            let golden = parse(&std::fs::read(&path)?).map_err(|error| about(&path, &error))?;
            if files.insert(name.to_owned(), golden).is_some() {
                return Err(about(&path, &"two files have this name"));
            }
        }
        Ok(Self(files))
    }

    /// The answer of that name; the error lists those there are.
    pub(super) fn get(&self, name: &str) -> io::Result<&Golden> {
        self.0.get(name).ok_or_else(|| {
            let names = self.0.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            io::Error::new(io::ErrorKind::NotFound, format!("there is no golden {name}; there are: {names}"))
        })
    }
}

impl Golden {
    /// An answer made on the spot.
    pub(super) fn json(status: u16, body: &serde_json::Value) -> Self {
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        Self { status, headers, body: body.to_string().into_bytes(), end: End::Proper }
    }

    fn stream(body: &[u8]) -> Self {
        let headers = vec![("content-type".to_owned(), "text/event-stream; charset=utf-8".to_owned())];
        Self { status: 200, headers, body: body.to_vec(), end: End::Proper }
    }

    fn response(bytes: &[u8]) -> Result<Self, String> {
        let mut headers = [httparse::EMPTY_HEADER; 32];
        let mut head = httparse::Response::new(&mut headers);
        let length = match head.parse(bytes).map_err(|error| error.to_string())? {
            httparse::Status::Complete(length) => length,
            httparse::Status::Partial => return Err("the head has no end".to_owned()),
        };
        let mut golden = Self {
            status: head.code.ok_or("no status")?,
            headers: Vec::new(),
            body: bytes[length..].to_vec(),
            end: End::Proper,
        };
        for header in head.headers.iter() {
            let value = String::from_utf8_lossy(header.value).into_owned();
            match (header.name.to_ascii_lowercase(), value.as_str()) {
                (name, "cut") if name == "x-replay-end" => golden.end = End::Cut,
                (name, "silence") if name == "x-replay-end" => golden.end = End::Silence,
                (name, other) if name == "x-replay-end" => return Err(format!("no such end: {other}")),
                (name, _) => golden.headers.push((name, value)),
            }
        }
        Ok(golden)
    }
}
