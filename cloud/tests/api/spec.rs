//! `openapi.yaml` as a judge, and the test that it and the server speak of the same calls.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use reqwest::StatusCode;
use serde_json::{Map, Value};
use vitrine_cloud::api::table;
use vitrine_cloud::auth::Access;
use yaml_rust2::{Yaml, YamlLoader};

use crate::schema::{check, resolve};

/// The file, read once.
pub static SPEC: LazyLock<Value> = LazyLock::new(|| {
    let text = include_str!("../../openapi.yaml");
    let mut docs = YamlLoader::load_from_str(text).expect("openapi.yaml is YAML");
    json(docs.remove(0))
});

fn json(yaml: Yaml) -> Value {
    match yaml {
        Yaml::String(text) => text.into(),
        Yaml::Integer(number) => number.into(),
        Yaml::Boolean(value) => value.into(),
        Yaml::Array(list) => list.into_iter().map(json).collect(),
        Yaml::Hash(map) => {
            let pair = |(key, value)| match json(key) {
                Value::String(key) => (key, json(value)),
                key => panic!("key {key} is no text"),
            };
            Value::Object(map.into_iter().map(pair).collect::<Map<_, _>>())
        }
        other => panic!("{other:?} has no place in the file"),
    }
}

/// What a request and its answer were.
pub struct Exchange<'a> {
    pub method: &'a str,
    pub path: &'a str,
    pub sent: Option<&'a Value>,
    pub status: StatusCode,
    pub media_type: &'a str,
    pub got: &'a [u8],
}

/// Holds an exchange to the file. What a server accepted must be what the file says may be sent.
pub fn judge(exchange: &Exchange) {
    let Exchange { method, path, sent, status, media_type, got } = exchange;
    let Some((template, operation)) = operation(method, path) else {
        assert!(matches!(status.as_u16(), 404 | 405), "{method} {path} is not in the file");
        return check_body(&SPEC["components"]["responses"]["Refused"], media_type, got, path);
    };
    let what = format!("{method} {template} → {status}");
    if let (true, Some(sent)) = (status.is_success(), sent) {
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
        check(&SPEC, schema, sent, "body").unwrap_or_else(|e| panic!("{what}, asked: {e}"));
    }
    let answers = &operation["responses"];
    let answer = answers.get(status.as_str()).or_else(|| {
        let refused = !status.is_success() && !status.is_redirection();
        answers.get("default").filter(|_| refused)
    });
    let answer = answer.unwrap_or_else(|| panic!("{what}: this status is not in the file"));
    let answer = answer.get("$ref").map_or(answer, |reference| resolve(&SPEC, reference));
    check_body(answer, media_type, got, &what);
}

fn check_body(answer: &Value, media_type: &str, got: &[u8], what: &str) {
    let Some(content) = answer.get("content") else {
        return assert!(got.is_empty(), "{what}: a body, but the file knows of none");
    };
    let kind = content.get(media_type).or_else(|| content.get("*/*"));
    let kind = kind.unwrap_or_else(|| panic!("{what}: {media_type:?} is not in the file"));
    if media_type == "application/json" {
        let value = serde_json::from_slice(got).unwrap_or_else(|e| panic!("{what}: {e}"));
        check(&SPEC, &kind["schema"], &value, "body").unwrap_or_else(|e| panic!("{what}: {e}"));
    }
}

/// Finds the operation for a real path, query and all.
fn operation(method: &str, path: &str) -> Option<(&'static str, &'static Value)> {
    let path = path.split('?').next().unwrap_or_default();
    let fits = |template: &str| {
        let (mut want, mut have) = (template.split('/'), path.split('/'));
        loop {
            match (want.next(), have.next()) {
                (None, None) => return true,
                (Some(want), Some(have)) if want == have || want.starts_with('{') => {}
                _ => return false,
            }
        }
    };
    let paths = SPEC["paths"].as_object().expect("paths");
    let (template, operations) = paths.iter().find(|(template, _)| fits(template))?;
    Some((template, operations.get(method.to_lowercase())?))
}

/// Checks a value against a named schema.
pub fn named(name: &str, value: &Value) {
    let schema = &SPEC["components"]["schemas"][name];
    check(&SPEC, schema, value, name).unwrap_or_else(|e| panic!("{e}"));
}

#[test]
fn the_file_and_the_server_speak_of_the_same_calls() {
    let access = |operation: &Value| {
        let schemes = operation["security"].as_array().expect("security");
        let names: Vec<_> = schemes.iter().flat_map(|s| s.as_object().unwrap().keys()).collect();
        names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(" ")
    };
    let mut said = BTreeMap::new();
    for (path, operations) in SPEC["paths"].as_object().expect("paths") {
        for (method, operation) in operations.as_object().expect("operations") {
            if method != "parameters" {
                said.insert((path.clone(), method.to_uppercase()), access(operation));
            }
        }
    }
    let name = |access| match access {
        Access::Open => "",
        Access::Device => "device",
        Access::Operator => "operator",
        Access::Admin => "admin",
    };
    let served: BTreeMap<_, _> = table()
        .iter()
        .map(|r| ((r.path.to_owned(), r.method.to_string()), name(r.access).to_owned()))
        .collect();
    assert_eq!(said, served);
}

#[test]
fn every_reference_and_parameter_of_the_file_leads_somewhere() {
    fn walk(value: &Value) {
        match value {
            Value::Object(map) => {
                if let Some(reference) = map.get("$ref") {
                    resolve(&SPEC, reference);
                }
                map.values().for_each(walk);
            }
            Value::Array(list) => list.iter().for_each(walk),
            _ => {}
        }
    }
    walk(&SPEC);
    for (path, operations) in SPEC["paths"].as_object().expect("paths") {
        for operation in operations.as_object().expect("operations").values() {
            let lists = [operations.get("parameters"), operation.get("parameters")];
            let named = lists.into_iter().flatten().flat_map(|list| list.as_array().unwrap());
            let named: Vec<_> = named.filter(|p| p["in"] == "path").map(|p| &p["name"]).collect();
            let holes = path.split('/').filter_map(|part| part.strip_prefix('{'));
            for hole in holes.map(|hole| hole.trim_end_matches('}')) {
                assert!(named.iter().any(|name| *name == hole), "{path}: {hole} is not described");
            }
        }
    }
}
