//! The WebSocket as AsyncAPI 3.0: two messages' lists, whose payloads are the schemas of the frames.

use serde_json::{Map, Value, json};

use super::frames::Side;

/// The document; it refers to the files of the frames beside it.
pub(super) fn document(sides: &[Side]) -> Value {
    let mut messages = Map::new();
    let mut operations = Map::new();
    for side in sides {
        let names: Vec<_> = side.fields().map(|(frame, _)| name(side, frame)).collect();
        for (frame, schema) in side.fields() {
            let file = format!("./frames/{}.{}.json", side.name, frame.replace(':', "."));
            let message = json!({
                "name": frame,
                "summary": schema.get("description").cloned().unwrap_or_default(),
                "payload": { "$ref": file },
            });
            messages.insert(name(side, frame), message);
        }
        let of_channel =
            names.iter().map(|name| json!({ "$ref": format!("#/channels/socket/messages/{name}") }));
        // As the server sees it.
        let action = if side.name == "client" { "receive" } else { "send" };
        let operation = json!({
            "action": action,
            "channel": { "$ref": "#/channels/socket" },
            "messages": of_channel.collect::<Vec<_>>(),
        });
        operations.insert(format!("{action}Frame"), operation);
    }
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Slipstream",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "One JSON object a text frame. With the subprotocol slipstream.v1 streams are numbered and resumed \
                            exactly; without it the protocol is that of the TypeScript Slipstream. Absent fields are omitted, \
                            never null; unknown fields are ignored both ways.",
            "license": { "name": "MIT" },
        },
        "defaultContentType": "application/json",
        "channels": {
            "socket": {
                "address": "/",
                "description": "Any path upgrades.",
                "messages": messages,
                "bindings": { "ws": { "method": "GET", "query": { "type": "object", "properties": {
                    "ticket": { "type": "string", "description": "From POST /v1/tickets: opens one socket, within 30 s." },
                } } } },
            },
        },
        "operations": operations,
    })
}

fn name(side: &Side, frame: &str) -> String {
    format!("{}.{}", side.name, frame.replace(':', "."))
}
