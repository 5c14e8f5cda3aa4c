//! JSON in its one canonical form (RFC 8785), and what cannot be brought into it.

use serde_json::{Number, Value};

use crate::DataFault;

const MAX_WHOLE: f64 = 9_007_199_254_740_992.0; // 2^53

/// The canonical text of a JSON object that PostgreSQL can store, and that any reader of JSON understands as it is meant.
pub(crate) fn canonical(text: &str) -> Result<String, DataFault> {
    let value: Value = serde_json::from_str(text).map_err(|_| DataFault::NotJson)?;
    if !value.is_object() {
        return Err(DataFault::NotAnObject);
    }
    let mut canonical = Vec::with_capacity(text.len());
    write(&value, &mut canonical)?;
    String::from_utf8(canonical).map_err(|_| DataFault::NotJson)
}

/// The canonical text of what the database gave back; none if it is not JSON that [`canonical`] made.
pub(crate) fn canonical_stored(text: &str) -> Option<String> {
    let value: Value = serde_json::from_str(text).ok()?;
    serde_json_canonicalizer::to_string(&value).ok()
}

/// What `serde_json_canonicalizer` writes, which takes every whole number for a float; every append pays for this.
fn write(value: &Value, out: &mut Vec<u8>) -> Result<(), DataFault> {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number(number) => write_number(number, out)?,
        Value::String(text) => write_text(text, out)?,
        Value::Array(items) => {
            out.push(b'[');
            for (item, number) in items.iter().zip(0..) {
                separate(number, out);
                write(item, out)?;
            }
            out.push(b']');
        }
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_unstable_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
            out.push(b'{');
            for ((key, value), number) in fields.into_iter().zip(0..) {
                separate(number, out);
                write_text(key, out)?;
                out.push(b':');
                write(value, out)?;
            }
            out.push(b'}');
        }
    }
    Ok(())
}

fn separate(number: usize, out: &mut Vec<u8>) {
    if number > 0 {
        out.push(b',');
    }
}

/// Every whole number beyond 2^53 is refused, however it is written: most readers take numbers for doubles, and could
/// not tell whether all its digits were meant.
fn write_number(number: &Number, out: &mut Vec<u8>) -> Result<(), DataFault> {
    let written = match number.as_i64() {
        Some(whole) if whole.unsigned_abs() <= 1 << 53 => serde_json::to_writer(out, &whole),
        None if number.as_f64().is_some_and(|float| float.fract() != 0.0 || float.abs() < MAX_WHOLE) => {
            serde_json_canonicalizer::to_writer(number, out)
        }
        Some(_) | None => return Err(DataFault::BigInteger),
    };
    written.map_err(|_| DataFault::NotJson)
}

fn write_text(text: &str, out: &mut Vec<u8>) -> Result<(), DataFault> {
    if text.contains('\0') {
        return Err(DataFault::Nul);
    }
    // What it escapes, and how, is what RFC 8785 asks for.
    serde_json::to_writer(out, text).map_err(|_| DataFault::NotJson)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_are_sorted_numbers_normalised_and_blanks_removed() {
        let text = r#"{ "b": 1.0, "a": [1e2, -0, "\u00e9"], "\u20ac": null }"#;
        assert_eq!(canonical(text).unwrap(), r#"{"a":[100,0,"é"],"b":1,"€":null}"#);
    }

    proptest! {
        #[test]
        fn it_is_what_the_reference_writes(
            texts in proptest::collection::btree_map(any::<String>(), any::<String>(), 0..8),
            wholes in proptest::collection::vec(-(1_i64 << 53)..=1 << 53, 0..4),
            floats in proptest::collection::vec(-1e15..1e15, 0..4),
        ) {
            let no_nul = |text: String| text.replace('\0', "");
            let texts: BTreeMap<_, _> = texts.into_iter().map(|(key, text)| (no_nul(key), no_nul(text))).collect();
            let value = json!({ "\u{fb01}": texts, "\u{1f600}": wholes, "a": floats, "": [null, true, {}] });
            prop_assert_eq!(
                canonical(&value.to_string()).unwrap(),
                serde_json_canonicalizer::to_string(&value).unwrap()
            );
        }
    }

    #[test]
    fn canonical_text_is_its_own_canonical_form() {
        for text in [r#"{"a":0.1}"#, r#"{"a":1e-7,"b":5e-324}"#, r#"{"a":{"a":{}},"z":[[]]}"#] {
            assert_eq!(canonical(text).unwrap(), text);
            assert_eq!(canonical_stored(text).unwrap(), text);
        }
    }

    #[test]
    fn what_jsonb_makes_of_a_small_number_comes_back_to_the_same_text() {
        assert_eq!(canonical_stored(r#"{"a": 0.0000001}"#).unwrap(), r#"{"a":1e-7}"#);
    }

    #[test]
    fn u0000_is_refused_in_values_and_keys() {
        for text in [r#"{"a":["x\u0000"]}"#, r#"{"a\u0000":1}"#] {
            assert_eq!(canonical(text), Err(DataFault::Nul));
        }
    }

    #[test]
    fn whole_numbers_are_exact_or_refused() {
        for (text, fine) in [
            (r#"{"a":9007199254740992}"#, true),
            (r#"{"a":-9007199254740992}"#, true),
            (r#"{"a":9007199254740993}"#, false),
            (r#"{"a":18446744073709551615}"#, false),
            (r#"{"a":1e300}"#, false),
            (r#"{"a":1e-300}"#, true),
            (r#"{"a":4503599627370496.5}"#, true),
        ] {
            assert_eq!(canonical(text).is_ok(), fine, "{text}");
        }
    }

    #[test]
    fn only_objects_are_data() {
        assert_eq!(canonical("[]"), Err(DataFault::NotAnObject));
        for text in ["", "{", r#"{"a":1e999}"#, r#"{"a":"\ud800"}"#] {
            assert_eq!(canonical(text), Err(DataFault::NotJson), "{text}");
        }
        let deep = format!("{}{}", r#"{"a":"#.repeat(10_000), "}".repeat(10_000));
        assert_eq!(canonical(&deep), Err(DataFault::NotJson));
    }
}
