//! What the daemon remembers: where its follower stands, the proofs that it saw there, and what it found, each with its salt. One
//! file, replaced whole. A finding is written before it is committed to and never changed after that: whoever could say two
//! things about one proof would be believed in neither.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use chain::follow::{Cursor, Page};
use chain::{Address, B256};
use domain::Finding;
use serde::{Deserialize, Serialize};

use super::error::ValidatorError;
use super::notary::{Asked, Opened};
use crate::party::files::write_whole;

/// What was found, for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Word {
    #[serde(with = "finding_code")]
    pub(crate) finding: Finding,
    pub(crate) result: B256,
    /// Nobody can guess what was committed to.
    pub(crate) salt: B256,
}

mod finding_code {
    use domain::Finding;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(finding: &Finding, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(finding.code())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Finding, D::Error> {
        let code = String::deserialize(from)?;
        Finding::from_code(&code).ok_or_else(|| D::Error::custom(format!("`{code}` is no finding")))
    }
}

/// Where the states of a proof are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Whereabouts {
    /// Base URL of the agent API.
    pub(crate) url: String,
    /// SHA-256 of its certificate, hex with `0x`.
    pub(crate) pin: B256,
}

/// A proof, from its opening until its end is seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SeenProof {
    pub(crate) block: u64,
    pub(crate) asked: Asked,
    /// `None` when its consumer wrote something else.
    pub(crate) contact: Option<Whereabouts>,
    pub(crate) word: Option<Word>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct State {
    pub(crate) cursor: Option<Cursor>,
    pub(crate) proofs: BTreeMap<B256, SeenProof>,
}

impl State {
    /// Takes a page of events with its cursor.
    pub(crate) fn absorb(&mut self, page: &Page, opened: Vec<Opened>) {
        if let Some(from) = page.undo_from {
            // What was said about a proof stays said: it may be opened again under the same name.
            self.proofs.retain(|_, proof| proof.block < from || proof.word.is_some());
        }
        for Opened { id, block, asked, contact } in opened {
            let word = self.proofs.get(&id).and_then(|seen| seen.word);
            self.proofs.insert(id, SeenProof { block, asked, contact, word });
        }
        self.cursor = Some(page.cursor.clone());
    }
}

#[derive(Serialize, Deserialize)]
struct Doc {
    chain_id: u64,
    notary: String,
    cursor: Option<String>,
    proofs: BTreeMap<String, SeenProof>,
}

/// The state in `file`, or an empty one where there is none.
pub(crate) fn load(file: &Path, chain_id: u64, notary: Address) -> Result<State, ValidatorError> {
    let text = match std::fs::read(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(State::default()),
        Err(source) => return Err(ValidatorError::File { path: file.to_owned(), source }),
    };
    let damaged = |source| ValidatorError::State { path: file.to_owned(), source };
    let doc: Doc = serde_json::from_slice(&text).map_err(damaged)?;
    if (doc.chain_id, doc.notary.as_str()) != (chain_id, notary.to_string().as_str()) {
        return Err(ValidatorError::OtherNotary { notary: doc.notary, chain_id: doc.chain_id });
    }
    let wrong = |what: &'static str| damaged(serde::de::Error::custom(format!("a {what} cannot be read")));
    let mut state = State::default();
    if let Some(text) = doc.cursor {
        state.cursor = Some(text.parse().map_err(|_| wrong("cursor"))?);
    }
    for (id, proof) in doc.proofs {
        state.proofs.insert(id.parse().map_err(|_| wrong("proof"))?, proof);
    }
    Ok(state)
}

/// Keeps the state in `file`.
pub(crate) fn save(state: &State, file: &Path, chain_id: u64, notary: Address) -> Result<(), ValidatorError> {
    let doc = Doc {
        chain_id,
        notary: notary.to_string(),
        cursor: state.cursor.as_ref().map(ToString::to_string),
        proofs: state.proofs.iter().map(|(id, proof)| (id.to_string(), proof.clone())).collect(),
    };
    let text = serde_json::to_vec_pretty(&doc).map_err(io::Error::from);
    let written = text.and_then(|text| write_whole(file, &text));
    written.map_err(|source| ValidatorError::File { path: file.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTARY: Address = Address::repeat_byte(0x44);

    fn opened(id: u8, block: u64) -> Opened {
        let contact = Whereabouts { url: "https://a".to_owned(), pin: B256::repeat_byte(3) };
        Opened { id: B256::repeat_byte(id), block, asked: Asked::default(), contact: Some(contact) }
    }

    fn page(number: u64, undo_from: Option<u64>) -> Page {
        let cursor = format!("{number}::{}", B256::repeat_byte(9)).parse().unwrap();
        Page { undo_from, events: Vec::new(), cursor, at_head: true }
    }

    #[test]
    fn what_was_found_comes_back_from_the_file_and_outlives_a_reorganization() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("state.json");
        let mut state = load(&file, 7, NOTARY).unwrap();
        state.absorb(&page(3, None), vec![opened(1, 2), opened(2, 3), opened(3, 3)]);
        let word =
            Word { finding: Finding::Differs, result: B256::repeat_byte(5), salt: B256::repeat_byte(6) };
        state.proofs.get_mut(&B256::repeat_byte(3)).unwrap().word = Some(word);
        save(&state, &file, 7, NOTARY).unwrap();
        let mut again = load(&file, 7, NOTARY).unwrap();
        assert_eq!(again, state);
        again.absorb(&page(3, Some(3)), vec![opened(3, 4)]);
        let left: Vec<u8> = again.proofs.keys().map(|id| id[0]).collect();
        assert_eq!((left, again.proofs[&B256::repeat_byte(3)].word), (vec![1, 3], Some(word)));
        assert!(matches!(load(&file, 8, NOTARY), Err(ValidatorError::OtherNotary { chain_id: 7, .. })));
        std::fs::write(&file, "{").unwrap();
        assert!(matches!(load(&file, 7, NOTARY), Err(ValidatorError::State { .. })));
    }
}
