//! Records as a device sends them, sorted into those that can be kept and complaints.
//!
//! A record of a kind that this cloud does not know is kept as it is: a newer device must never
//! be stuck with what an older cloud refuses to take.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use vitrine_wire::record::BATCH_MAX;

use crate::error::{Complaint, Error};
use crate::limits;
use crate::store::NewRecord;

/// Digits of a record's id.
const ID_DIGITS: usize = 32;

/// One record as kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Kept {
    /// Place in the order of arrival; rises, with gaps.
    pub seq: u64,
    /// When it arrived.
    pub received_at: Timestamp,
    /// As the device sent it.
    pub record: Box<RawValue>,
}

/// One answer to `GET /api/v3/operator/devices/{device}/records`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Page {
    /// In the order of arrival.
    pub records: Vec<Kept>,
    /// For `after` in the next question; absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

/// Which records are asked for.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// Only those of this kind.
    pub kind: Option<String>,
    /// Only those that arrived after this one.
    #[serde(default)]
    pub after: u64,
    /// At most so many, 1 to [`limits::RECORDS_PAGE`].
    pub limit: Option<u32>,
}

#[derive(Deserialize)]
struct Batch {
    records: Vec<Box<RawValue>>,
}

/// What every record must have to be kept.
#[derive(Deserialize)]
struct Head {
    id: String,
    kind: String,
    #[serde(rename = "at")]
    _at: Timestamp,
}

/// Reads a batch. A record without a usable id cannot be acknowledged and is left out; the
/// request is refused only if nothing of it can be kept.
pub fn read(body: &[u8]) -> Result<Vec<NewRecord>, Error> {
    let batch: Batch = serde_json::from_slice(body).map_err(|e| Error::bad(e.to_string()))?;
    let found = batch.records.len();
    if found > BATCH_MAX {
        return Err(Error::bad(format!("{found} records in one batch, at most {BATCH_MAX}")));
    }
    let (mut good, mut complaints) = (Vec::new(), Vec::new());
    for (n, body) in batch.records.into_iter().enumerate() {
        match one(body) {
            Ok(record) => good.push(record),
            Err(text) => complaints.push(Complaint { place: format!("records[{n}]"), text }),
        }
    }
    match complaints.first() {
        Some(first) if !good.is_empty() => {
            tracing::warn!(found = complaints.len(), ?first, "records passed over");
            Ok(good)
        }
        Some(_) => Err(Error::content(complaints)),
        None => Ok(good),
    }
}

fn one(body: Box<RawValue>) -> Result<NewRecord, String> {
    let (found, most) = (body.get().len(), limits::RECORD_BYTES);
    if found > most {
        return Err(format!("has {found} bytes, at most {most}"));
    }
    let Head { id, kind, .. } = serde_json::from_str(body.get()).map_err(|e| e.to_string())?;
    let digit = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
    if id.len() != ID_DIGITS || !id.bytes().all(digit) {
        return Err(format!("id is {id:?}, want {ID_DIGITS} lower-case hexadecimal digits"));
    }
    Ok(NewRecord { id, kind, body })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn record(id: &str) -> Value {
        json!({"id": id, "at": "2026-01-01T00:00:00Z", "trust": "synced", "kind": "new_kind"})
    }

    fn ids(records: Value) -> Result<Vec<String>, Error> {
        let body = serde_json::to_vec(&json!({"records": records})).unwrap();
        Ok(read(&body)?.into_iter().map(|r| r.id).collect())
    }

    #[test]
    fn the_good_part_is_kept() {
        let (good, short) = ("0".repeat(32), "0".repeat(31));
        let mut long = record(&"1".repeat(32));
        long["detail"] = json!("x".repeat(limits::RECORD_BYTES));
        for (case, records, want) in [
            ("unknown kind", json!([record(&good)]), Some(vec![good.clone()])),
            ("one of two", json!([record(&short), record(&good)]), Some(vec![good.clone()])),
            ("none at all", json!([]), Some(vec![])),
            ("short id", json!([record(&short)]), None),
            ("upper case", json!([record(&"A".repeat(32))]), None),
            ("too long", json!([long]), None),
            ("no kind", json!([{"id": good, "at": "2026-01-01T00:00:00Z"}]), None),
            ("no time", json!([{"id": good, "kind": "fault", "at": "yesterday"}]), None),
            ("no object", json!([7]), None),
            ("too many", json!(vec![record(&good); BATCH_MAX + 1]), None),
        ] {
            assert_eq!(ids(records).ok(), want, "case {case:?}");
        }
        assert!(read(b"{").is_err() && read(b"[]").is_err(), "no batch");
    }
}
