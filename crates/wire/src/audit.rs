//! Records of the audit log: what happened, as a CloudEvents 1.0 envelope in canonical JSON (RFC 8785), so that whoever
//! has the values has the bytes.
//!
//! A record is a pure function of its row in the outbox and of the log's name, so the log can be written anew from the
//! rows, byte by byte. Values that may speak of a person stand in it as commitments: see [`committed`].

use domain::Timestamp;
use evidence::log::{ENTRY_BYTES_MAX, Hash, commitment, salt};
use serde::{Deserialize, Serialize};
use serde_json::Value;

const SPEC_VERSION: &str = "1.0";
const JSON: &str = "application/json";
/// What our own kinds of events are called for others: `waag.lease.live`.
const TYPE_PREFIX: &str = "waag.";

/// A row of the outbox.
#[derive(Debug, Clone, Copy)]
pub struct Event<'a> {
    /// Which, counted from 1. Its record has the index before.
    pub seq: u64,
    /// When it happened.
    pub at: Timestamp,
    /// What happened, e.g. `lease.live`.
    pub kind: &'a str,
    /// To whom, an id.
    pub subject: &'a str,
    /// Details, JSON.
    pub body: &'a str,
}

/// A record as it is read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// `1.0`.
    pub specversion: String,
    /// Its place in the log, counted from 1.
    pub id: String,
    /// The log's name.
    pub source: String,
    /// What happened, e.g. `waag.lease.live`.
    #[serde(rename = "type")]
    pub kind: String,
    /// When, RFC 3339.
    pub time: String,
    /// To whom, an id.
    pub subject: String,
    /// `application/json`.
    pub datacontenttype: String,
    /// Details.
    pub data: Value,
}

/// What is wrong with the bytes of a record.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// They are no JSON of this shape.
    #[error("it is no record")]
    Shape(#[source] serde_json::Error),
    /// They are not the one way in which these values are written.
    #[error("it is not written as canonical JSON")]
    NotCanonical,
    /// A field has another value than its place in the log demands.
    #[error("its {field} is `{found}`, not `{wanted}`")]
    Field {
        /// Which.
        field: &'static str,
        /// What it is.
        found: String,
        /// What it must be.
        wanted: String,
    },
}

/// The bytes of the record of an event in the log with this name. Details that are no JSON, or more than an entry can
/// hold, stand in it as their SHA-256 and length.
pub fn record(origin: &str, event: &Event<'_>) -> Vec<u8> {
    let with = |data: Value| {
        let record = Record {
            specversion: SPEC_VERSION.to_owned(),
            id: event.seq.to_string(),
            source: origin.to_owned(),
            kind: format!("{TYPE_PREFIX}{}", event.kind),
            time: event.at.to_string(),
            subject: event.subject.to_owned(),
            datacontenttype: JSON.to_owned(),
            data,
        };
        serde_json_canonicalizer::to_vec(&record).ok()
    };
    let whole = serde_json::from_str(event.body).ok().and_then(with);
    whole.filter(|bytes| bytes.len() <= ENTRY_BYTES_MAX).unwrap_or_else(|| {
        let digest = hex::encode(evidence::log::sha256(&[event.body.as_bytes()]));
        let data = serde_json::json!({ "body_sha256": digest, "body_bytes": event.body.len() });
        with(data).unwrap_or_default()
    })
}

/// Reads the record at `index` (from 0) of the log with this name.
///
/// # Errors
/// The bytes are no record, not canonical, or not the record of this place.
pub fn read(origin: &str, index: u64, bytes: &[u8]) -> Result<Record, RecordError> {
    let record: Record = serde_json::from_slice(bytes).map_err(RecordError::Shape)?;
    let canonical = serde_json_canonicalizer::to_vec(&record).map_err(RecordError::Shape)?;
    if canonical != bytes {
        return Err(RecordError::NotCanonical);
    }
    let must = |field, found: &str, wanted: &str| match found == wanted {
        true => Ok(()),
        false => Err(RecordError::Field { field, found: found.to_owned(), wanted: wanted.to_owned() }),
    };
    must("specversion", &record.specversion, SPEC_VERSION)?;
    must("id", &record.id, &index.saturating_add(1).to_string())?;
    must("source", &record.source, origin)?;
    must("datacontenttype", &record.datacontenttype, JSON)?;
    must("type", record.kind.get(..TYPE_PREFIX.len()).unwrap_or_default(), TYPE_PREFIX)?;
    Ok(record)
}

/// The text by which a value stands in a record without being shown: `sha256:` and the hex digits of
/// `SHA-256(salt || value)`, where the salt is `SHA-256(secret || kind/subject/field)`. The secret is the job's, and is
/// erased with it; from then on nobody can tell which value it was. Who is given the salt can check the value.
pub fn committed(secret: &Hash, kind: &str, subject: &str, field: &str, value: &str) -> String {
    let salt = salt(secret, &format!("{kind}/{subject}/{field}"));
    format!("sha256:{}", hex::encode(commitment(&salt, value.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGIN: &str = "waag.local/00";

    fn event(body: &str) -> Event<'_> {
        Event { seq: 7, at: Timestamp(1_800_000_000_123), kind: "lease.live", subject: "l_1", body }
    }

    #[test]
    fn a_record_has_one_way_to_be_written() {
        let bytes = record(ORIGIN, &event("{ \"b\": 1.0, \"a\": \"\\u00e4\" }"));
        assert_eq!(
            String::from_utf8(bytes.clone()).unwrap(),
            "{\"data\":{\"a\":\"ä\",\"b\":1},\"datacontenttype\":\"application/json\",\"id\":\"7\",\
             \"source\":\"waag.local/00\",\"specversion\":\"1.0\",\"subject\":\"l_1\",\
             \"time\":\"2027-01-15T08:00:00.123Z\",\"type\":\"waag.lease.live\"}"
        );
        let read_again = read(ORIGIN, 6, &bytes).unwrap();
        assert_eq!(
            (read_again.kind.as_str(), &read_again.data["b"]),
            ("waag.lease.live", &serde_json::json!(1))
        );
    }

    #[test]
    fn what_is_not_the_record_of_its_place_is_refused() {
        let bytes = record(ORIGIN, &event("{}"));
        let text = String::from_utf8(bytes.clone()).unwrap();
        assert!(matches!(read(ORIGIN, 7, &bytes), Err(RecordError::Field { field: "id", .. })));
        assert!(matches!(read("other", 6, &bytes), Err(RecordError::Field { field: "source", .. })));
        for changed in [
            text.replace(":{}", ": {}"),
            text.replace("{\"data\"", "{ \"data\""),
            text.replace("\"id\":\"7\"", "\"id\":\"\\u0037\""),
            format!("{text}\n"),
        ] {
            assert!(
                matches!(read(ORIGIN, 6, changed.as_bytes()), Err(RecordError::NotCanonical)),
                "{changed}"
            );
        }
        for changed in [
            text.replace("{\"data\"", "{\"more\":1,\"data\""),
            text.replace("\"id\":\"7\",", ""),
            "[]".to_owned(),
        ] {
            assert!(matches!(read(ORIGIN, 6, changed.as_bytes()), Err(RecordError::Shape(_))), "{changed}");
        }
    }

    #[test]
    fn details_that_do_not_fit_stand_in_the_record_by_their_digest() {
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(70_000));
        for body in [long.as_str(), "{\"a\":"] {
            let bytes = record(ORIGIN, &event(body));
            assert!(bytes.len() <= ENTRY_BYTES_MAX);
            let data = read(ORIGIN, 6, &bytes).unwrap().data;
            assert_eq!(data["body_bytes"], body.len());
            assert_eq!(data["body_sha256"].as_str().map(str::len), Some(64));
        }
    }

    #[test]
    fn a_commitment_hangs_on_secret_place_and_value() {
        let of = |secret: u8, subject: &str, value: &str| {
            committed(&[secret; 32], "lease.live", subject, "provider", value)
        };
        let one = of(1, "l_1", "mill");
        assert_eq!(one, of(1, "l_1", "mill"));
        assert!(one.starts_with("sha256:") && one.len() == 7 + 64);
        for other in [of(2, "l_1", "mill"), of(1, "l_2", "mill"), of(1, "l_1", "mille")] {
            assert_ne!(one, other);
        }
    }
}
