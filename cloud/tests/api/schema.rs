//! As much of JSON Schema as `openapi.yaml` uses. A keyword, format or pattern that is not known
//! here fails the test: nothing in the file is passed over silently.
//!
//! Objects are closed: a property that no schema speaks of is an error, so that nothing is sent
//! that the file does not say.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// Keywords that say nothing about the value.
const NOTES: [&str; 2] = ["description", "contentMediaType"];

type Known = BTreeSet<String>;

/// Checks `value`, which stands at `place`, against `schema`.
pub fn check(doc: &Value, schema: &Value, value: &Value, place: &str) -> Result<(), String> {
    let known = open(doc, schema, value, place)?;
    let Value::Object(map) = value else { return Ok(()) };
    match map.keys().find(|key| !known.contains(*key)) {
        Some(key) => Err(format!("{place}.{key}: the file does not speak of it")),
        None => Ok(()),
    }
}

/// Checks without closing the object; returns the properties that the schema speaks of.
fn open(doc: &Value, schema: &Value, value: &Value, place: &str) -> Result<Known, String> {
    let rules = schema.as_object().unwrap_or_else(|| panic!("{place}: no schema: {schema}"));
    let mut known = Known::new();
    for (word, rule) in rules {
        match word.as_str() {
            "$ref" => known.extend(open(doc, resolve(doc, rule), value, place)?),
            "allOf" => {
                for part in list(rule) {
                    known.extend(open(doc, part, value, place)?);
                }
            }
            "oneOf" => known.extend(one_of(doc, list(rule), value, place)?),
            "properties" => known.extend(properties(doc, rule, value, place)?),
            "additionalProperties" => {
                for (key, value) in object(value) {
                    check(doc, rule, value, &format!("{place}.{key}"))?;
                    known.insert(key.clone());
                }
            }
            "items" => {
                for (n, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(doc, rule, item, &format!("{place}[{n}]"))?;
                }
            }
            _ => plain(word, rule, value)
                .map_err(|wanted| format!("{place}: is {value}, want {wanted} ({word}: {rule})"))?,
        }
    }
    Ok(known)
}

fn one_of(doc: &Value, parts: &[Value], value: &Value, place: &str) -> Result<Known, String> {
    let tried: Vec<_> = parts.iter().map(|part| open(doc, part, value, place)).collect();
    let mut fits = tried.iter().filter_map(|one| one.as_ref().ok());
    match (fits.next(), fits.next()) {
        (Some(known), None) => Ok(known.clone()),
        (Some(_), Some(_)) => Err(format!("{place}: {value} fits more than one schema")),
        _ => Err(format!("{place}: {value} fits none of: {tried:?}")),
    }
}

fn properties(doc: &Value, rule: &Value, value: &Value, place: &str) -> Result<Known, String> {
    for (key, schema) in object(rule) {
        if let Some(value) = value.get(key) {
            check(doc, schema, value, &format!("{place}.{key}"))?;
        }
    }
    Ok(object(rule).keys().cloned().collect())
}

/// Keywords that look at one value alone.
fn plain(word: &str, rule: &Value, value: &Value) -> Result<(), &'static str> {
    let length = value.as_str().map(|text| text.chars().count() as f64);
    let count = value.as_array().map(|list| list.len() as f64);
    let (bound, number) = (rule.as_f64().unwrap_or(f64::NAN), value.as_f64());
    let holds = match word {
        note if NOTES.contains(&note) => true,
        "type" => match rule.as_array() {
            Some(any) => any.iter().any(|name| is_type(name.as_str().unwrap_or_default(), value)),
            None => is_type(rule.as_str().unwrap_or_default(), value),
        },
        "const" => rule == value,
        "enum" => list(rule).contains(value),
        "required" => list(rule).iter().all(|key| value.get(key.as_str().unwrap()).is_some()),
        "minimum" => number.is_none_or(|number| number >= bound),
        "maximum" => number.is_none_or(|number| number <= bound),
        "minLength" => length.is_none_or(|length| length >= bound),
        "maxLength" => length.is_none_or(|length| length <= bound),
        "minItems" => count.is_none_or(|count| count >= bound),
        "maxItems" => count.is_none_or(|count| count <= bound),
        "pattern" => value.as_str().is_none_or(|text| fits(rule.as_str().unwrap(), text)),
        "format" => value.as_str().is_none_or(|text| has_format(rule.as_str().unwrap(), text)),
        unknown => panic!("keyword {unknown:?} is not known to this test: teach it"),
    };
    holds.then_some(()).ok_or("what the file says")
}

fn is_type(name: &str, value: &Value) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "number" => value.is_number(),
        "integer" => value.is_u64() || value.is_i64(),
        unknown => panic!("type {unknown:?} is not known to this test"),
    }
}

fn fits(pattern: &str, text: &str) -> bool {
    let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    match pattern {
        "^[0-9a-f]{64}$" => text.len() == 64 && text.chars().all(hex),
        "^[0-9a-f]{32}$" => text.len() == 32 && text.chars().all(hex),
        "^#[0-9a-fA-F]{6}$" => text.strip_prefix('#').is_some_and(|digits| {
            digits.len() == 6 && digits.chars().all(|c| c.is_ascii_hexdigit())
        }),
        unknown => panic!("pattern {unknown:?} is not known to this test"),
    }
}

fn has_format(format: &str, text: &str) -> bool {
    match format {
        "date-time" => text.parse::<jiff::Timestamp>().is_ok(),
        "time-of-day" => text.parse::<jiff::civil::Time>().is_ok(),
        unknown => panic!("format {unknown:?} is not known to this test"),
    }
}

/// Follows a `#/…` reference.
pub fn resolve<'a>(doc: &'a Value, reference: &Value) -> &'a Value {
    let path = reference.as_str().and_then(|text| text.strip_prefix('#'));
    let found = path.and_then(|path| doc.pointer(path));
    found.unwrap_or_else(|| panic!("reference {reference} leads nowhere"))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap_or_else(|| panic!("want a list: {value}"))
}

fn object(value: &Value) -> &Map<String, Value> {
    value.as_object().unwrap_or_else(|| panic!("want an object: {value}"))
}

#[test]
fn the_judge_can_say_no() {
    let doc = serde_json::json!({ "s": {
        "type": "object",
        "required": ["a"],
        "properties": {
            "a": { "oneOf": [{ "type": "integer", "minimum": 1 }, { "const": "x" }] },
            "b": { "type": "array", "maxItems": 1, "items": { "pattern": "^[0-9a-f]{32}$" } },
        },
    }});
    let schema = serde_json::json!({ "$ref": "#/s" });
    let hex = "0".repeat(32);
    for (value, want) in [
        (serde_json::json!({ "a": 1 }), true),
        (serde_json::json!({ "a": "x", "b": [hex] }), true),
        (serde_json::json!({ "a": 0 }), false),
        (serde_json::json!({ "a": 1.5 }), false),
        (serde_json::json!({ "b": [] }), false),
        (serde_json::json!({ "a": 1, "b": [hex, hex] }), false),
        (serde_json::json!({ "a": 1, "b": ["0"] }), false),
        (serde_json::json!({ "a": 1, "c": 1 }), false),
        (serde_json::json!([]), false),
    ] {
        assert_eq!(check(&doc, &schema, &value, "$").is_ok(), want, "{value}");
    }
}
