//! JSON in its one canonical form (RFC 8785), and what cannot be brought into it.

use serde_json::Value;

use crate::DataFault;

const MAX_WHOLE: f64 = 9_007_199_254_740_992.0; // 2^53

/// The canonical text of a JSON object that PostgreSQL can store as jsonb and give back without loss.
pub(crate) fn canonical(text: &str) -> Result<String, DataFault> {
    let value: Value = serde_json::from_str(text).map_err(|_| DataFault::NotJson)?;
    if !value.is_object() {
        return Err(DataFault::NotAnObject);
    }
    check(&value)?;
    serde_json_canonicalizer::to_string(&value).map_err(|_| DataFault::NotJson)
}

/// The canonical text of what the database gave back; none if it is not JSON that [`canonical`] made.
pub(crate) fn canonical_stored(text: &str) -> Option<String> {
    let value: Value = serde_json::from_str(text).ok()?;
    serde_json_canonicalizer::to_string(&value).ok()
}

fn check(value: &Value) -> Result<(), DataFault> {
    match value {
        Value::Null | Value::Bool(_) => Ok(()),
        Value::Number(number) => {
            // Every whole number that big is refused, however it is written: as jsonb it becomes a run of
            // digits, and a reader could not tell whether they were all meant.
            let exact = number.as_f64().is_some_and(|float| float.fract() != 0.0 || float.abs() < MAX_WHOLE);
            if exact || number.as_i64().is_some_and(|whole| whole.unsigned_abs() <= 1 << 53) {
                Ok(())
            } else {
                Err(DataFault::BigInteger)
            }
        }
        Value::String(text) => check_text(text),
        Value::Array(items) => items.iter().try_for_each(check),
        Value::Object(fields) => fields.iter().try_for_each(|(key, value)| {
            check_text(key)?;
            check(value)
        }),
    }
}

fn check_text(text: &str) -> Result<(), DataFault> {
    if text.contains('\0') { Err(DataFault::Nul) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn keys_are_sorted_numbers_normalised_and_blanks_removed() {
        let text = r#"{ "b": 1.0, "a": [1e2, -0, "\u00e9"], "\u20ac": null }"#;
        assert_eq!(canonical(text).unwrap(), r#"{"a":[100,0,"é"],"b":1,"€":null}"#);
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
