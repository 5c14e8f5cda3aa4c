//! A proof shows an event to whoever trusts a key, and nothing that was tampered with shows anything.

use serde_json::{Value, json};
use slipstream_eventlog::{NotProven, NotSigned, Position, Proof, ProveError, Signature, SigningKey};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::support::{World, append, event, one, sealed, stream, to};

/// RFC 8032, 7.1, test 1.
const SEED: &str = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";

fn key() -> SigningKey {
    SigningKey::parse(SEED).unwrap()
}

fn p(position: i64) -> Position {
    Position::new(position)
}

/// Fourteen events in six batches: 1–5, 6, 7, 8–12, 13, 14.
async fn world() -> World {
    let world = World::new().await;
    let (long, other) = (stream(), stream());
    let five = || vec![event(), sealed(b"said"), event(), sealed(b"said too"), event()];
    for streams in
        [to(long, 0, five()), one(other, 0), one(other, 1), to(long, 5, five()), one(other, 2), one(other, 3)]
    {
        world.log.append(append(vec![streams])).await.unwrap();
    }
    world
}

async fn sign(world: &World, key: &SigningKey) -> Signature {
    key.sign(&world.log.head().await.unwrap(), Uuid::from_u128(9), OffsetDateTime::UNIX_EPOCH)
}

async fn proof(world: &World, positions: &[i64]) -> Proof {
    let positions: Vec<Position> = positions.iter().map(|position| p(*position)).collect();
    world.log.prove(Uuid::from_u128(1), &positions, sign(world, &key()).await).await.unwrap()
}

/// What a proof with this text comes to.
fn checked(text: &str) -> Result<i64, NotProven> {
    Ok(Proof::parse(text)?.check(&key().public())?.batch_no)
}

#[tokio::test]
async fn every_event_can_be_proved_and_the_proof_needs_nothing_but_its_own_text() {
    let world = world().await;
    for position in 1..=14 {
        let proof = proof(&world, &[position]).await;
        assert_eq!(checked(&serde_json::to_string(&proof).unwrap()).unwrap(), 6, "{position}");
    }
    let many = proof(&world, &[2, 4, 6, 9, 14]).await;
    let checked =
        Proof::parse(&serde_json::to_string_pretty(&many).unwrap()).unwrap().check(&key().public()).unwrap();
    assert_eq!(checked.recorded_at_us.len(), 5);
    assert!(checked.recorded_at_us.is_sorted());
    assert_eq!(checked.recorded_at_us[0], checked.recorded_at_us[1], "of one batch");
    world.end().await;
}

#[tokio::test]
async fn whatever_is_changed_in_a_proof_makes_it_prove_nothing() {
    let world = world().await;
    let proof = serde_json::to_value(proof(&world, &[2, 9]).await).unwrap();
    checked(&proof.to_string()).unwrap();
    let mut places = Vec::new();
    collect(&proof, String::new(), &mut places);
    assert!(places.len() > 60, "{}", places.len());
    for place in places.iter().filter(|place| *place != "/subject") {
        let mut changed = proof.clone();
        let value = changed.pointer_mut(place).unwrap();
        *value = match value.as_str() {
            Some(text) => json!(altered(text)),
            None => json!(value.as_i64().unwrap() + 1),
        };
        assert!(checked(&changed.to_string()).is_err(), "{place} was changed and nobody noticed");
        let (parent, name) = place.rsplit_once('/').unwrap();
        let mut without = proof.clone();
        let parent = without.pointer_mut(parent).unwrap();
        if let Some(object) = parent.as_object_mut() {
            object.remove(name).unwrap();
        } else {
            parent.as_array_mut().unwrap().remove(name.parse().unwrap());
        }
        assert!(checked(&without.to_string()).is_err(), "{place} was removed and nobody noticed");
    }
    world.end().await;
}

/// The places of all plain values.
fn collect(value: &Value, at: String, places: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            object.iter().for_each(|(name, value)| collect(value, format!("{at}/{name}"), places));
        }
        Value::Array(array) => {
            array
                .iter()
                .enumerate()
                .for_each(|(index, value)| collect(value, format!("{at}/{index}"), places));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => places.push(at),
    }
}

/// The same text with its last digit, or else its last character, another one.
fn altered(text: &str) -> String {
    let at = text.rfind(|c: char| c.is_ascii_hexdigit()).unwrap_or(text.len() - 1);
    let other = if text[at..].starts_with('0') { '1' } else { '0' };
    format!("{}{other}{}", &text[..at], &text[at + 1..])
}

#[tokio::test]
async fn a_proof_that_is_cut_off_anywhere_is_no_proof() {
    let world = world().await;
    let text = serde_json::to_string(&proof(&world, &[9]).await).unwrap();
    for end in 0..text.len() {
        assert!(matches!(checked(&text[..end]), Err(NotProven::Malformed(_))), "{end}");
    }
    world.end().await;
}

#[tokio::test]
async fn links_that_were_swapped_replaced_or_left_out_are_found_by_their_place() {
    let world = world().await;
    let good = serde_json::to_value(proof(&world, &[2, 9]).await).unwrap();
    let with = |change: &dyn Fn(&mut Vec<Value>)| {
        let mut proof = good.clone();
        change(proof["links"].as_array_mut().unwrap());
        checked(&proof.to_string()).unwrap_err()
    };
    assert!(matches!(with(&|links| links.swap(1, 2)), NotProven::Links(3)));
    assert!(matches!(with(&|links| drop(links.remove(2))), NotProven::Links(4)));
    assert!(matches!(with(&|links| drop(links.remove(0))), NotProven::Chain));
    assert!(matches!(with(&|links| drop(links.pop())), NotProven::Chain));
    assert!(matches!(with(&Vec::clear), NotProven::Nothing));
    let zeros = json!("0".repeat(64));
    assert!(matches!(with(&|links| links[2]["root"] = zeros.clone()), NotProven::Chain));
    // Another event's proof, made to look as if it were this one's.
    let mut moved = good.clone();
    moved["events"][0]["position"] = json!(4);
    assert!(matches!(checked(&moved.to_string()).unwrap_err(), NotProven::Event(4)));
    moved["events"][0]["position"] = json!(99);
    assert!(matches!(checked(&moved.to_string()).unwrap_err(), NotProven::Outside(99)));
    moved["events"] = json!([]);
    assert!(matches!(checked(&moved.to_string()).unwrap_err(), NotProven::Nothing));
    world.end().await;
}

#[tokio::test]
async fn who_trusts_another_key_is_shown_nothing_also_when_the_proof_is_consistent_in_itself() {
    let world = world().await;
    let other = SigningKey::parse(&SEED.replace('9', "8")).unwrap();
    let signature = sign(&world, &other).await;
    let proof = world.log.prove(Uuid::nil(), &[p(3)], signature).await.unwrap();
    assert!(proof.check(&other.public()).is_ok());
    let refused = proof.check(&key().public()).unwrap_err();
    assert!(matches!(refused, NotProven::Signature(NotSigned::OtherKey(by)) if by == other.public()));
    world.end().await;
}

#[tokio::test]
async fn erased_content_still_proves_and_leaves_old_proofs_as_they_were() {
    let world = world().await;
    let before = proof(&world, &[2, 4]).await;
    sqlx::query("UPDATE es.event SET sealed = NULL").execute(world.pool()).await.unwrap();
    assert_eq!(proof(&world, &[2, 4]).await, before);
    assert!(before.check(&key().public()).is_ok());
    world.end().await;
}

#[tokio::test]
async fn a_log_that_was_changed_since_proves_nothing_of_what_was_changed() {
    let world = world().await;
    let signature = sign(&world, &key()).await;
    sqlx::query("UPDATE es.event SET data = '{}' WHERE position = 9").execute(world.pool()).await.unwrap();
    let prove = async |position| world.log.prove(Uuid::nil(), &[p(position)], signature.clone()).await;
    assert!(matches!(prove(9).await, Err(ProveError::Damaged(NotProven::Event(9)))));
    assert!(prove(10).await.is_ok(), "the hash that was recorded leads the others to the root");
    sqlx::query("DELETE FROM es.event WHERE position = 9").execute(world.pool()).await.unwrap();
    assert!(matches!(prove(9).await, Err(ProveError::Missing(_))));
    sqlx::query("UPDATE es.batch SET root = sha256('x') WHERE batch_no = 5")
        .execute(world.pool())
        .await
        .unwrap();
    assert!(matches!(prove(3).await, Err(ProveError::Damaged(NotProven::Chain))));
    world.end_faulty().await;
}

#[tokio::test]
async fn what_is_not_signed_yet_or_not_there_has_no_proof() {
    let world = world().await;
    let signature = sign(&world, &key()).await;
    world.log.append(append(vec![one(stream(), 0)])).await.unwrap();
    let early = world.log.prove(Uuid::nil(), &[p(15)], signature.clone()).await;
    assert!(matches!(early, Err(ProveError::TooEarly { signed: 6, .. })), "{early:?}");
    let missing = world.log.prove(Uuid::nil(), &[p(99)], signature).await;
    assert!(matches!(missing, Err(ProveError::Missing(_))), "{missing:?}");
    world.end().await;
}

/// A proof that was made by the first version of this form, and its description.
#[test]
fn the_sample_holds_and_has_the_described_form() {
    let read = |name: &str| {
        let path = format!("{}/../schemas/{name}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
    };
    let sample = read("proof.example.json");
    assert_eq!(checked(&sample).unwrap(), 6);
    let (sample, schema): (Value, Value) =
        (serde_json::from_str(&sample).unwrap(), serde_json::from_str(&read("proof.json")).unwrap());
    conforms(&sample, &schema, &schema, "");
}

/// As much of JSON Schema as the description uses: objects that name all their members, arrays, constants, types.
fn conforms(value: &Value, schema: &Value, root: &Value, at: &str) {
    if let Some(name) = schema["$ref"].as_str() {
        let target = root.pointer(name.trim_start_matches('#')).unwrap_or_else(|| panic!("{at}: {name}"));
        return conforms(value, target, root, at);
    }
    if let Some(constant) = schema.get("const") {
        assert_eq!(value, constant, "{at}");
    }
    match value {
        Value::Object(object) => {
            assert_eq!(
                (&schema["type"], &schema["additionalProperties"]),
                (&json!("object"), &json!(false)),
                "{at}"
            );
            for required in schema["required"].as_array().unwrap() {
                assert!(object.contains_key(required.as_str().unwrap()), "{at} lacks {required}");
            }
            for (name, value) in object {
                let member =
                    schema["properties"].get(name).unwrap_or_else(|| panic!("{at}/{name} is not described"));
                conforms(value, member, root, &format!("{at}/{name}"));
            }
        }
        Value::Array(array) => {
            assert_eq!(schema["type"], "array", "{at}");
            for value in array {
                conforms(value, &schema["items"], root, &format!("{at}/*"));
            }
        }
        Value::Number(_) => assert_eq!(schema["type"], "integer", "{at}"),
        Value::String(text) => {
            assert_eq!(schema["type"], "string", "{at}");
            let digits = schema["pattern"].as_str().and_then(|pattern| {
                pattern.strip_prefix("^[0-9a-f]{")?.strip_suffix("}$")?.parse::<usize>().ok()
            });
            assert!(digits.is_none_or(|digits| text.len() == digits), "{at}");
        }
        Value::Null | Value::Bool(_) => panic!("{at}: {value}"),
    }
}

/// Makes the sample anew, for a new form: `cargo test … make_the_sample -- --ignored --nocapture`.
#[tokio::test]
#[ignore = "writes a file"]
async fn make_the_sample() {
    let world = world().await;
    let text = serde_json::to_string_pretty(&proof(&world, &[2, 9]).await).unwrap();
    std::fs::write(format!("{}/../schemas/proof.example.json", env!("CARGO_MANIFEST_DIR")), text + "\n")
        .unwrap();
    world.end().await;
}
