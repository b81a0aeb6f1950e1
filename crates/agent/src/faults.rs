//! What an agent does wrong on purpose, for demonstrations and tests.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use evidence::Canary;
use wire::agent::{Fault, bytes_of};

/// Whether something else is to stand in the place of this state.
pub(crate) fn is_fabricated(fault: Option<&Fault>, state: u32) -> bool {
    let segment = state.checked_sub(1);
    let wanted =
        |segment| matches!(fault, Some(Fault::Fabricate { segments }) if segments.contains(&segment));
    segment.is_some_and(wanted)
}

/// The canary that the provider asked for, in an execution of these segments.
pub(crate) fn canary(fault: Option<&Fault>, from_segment: u32, segments: u32) -> Option<Canary> {
    let Some(Fault::Canary { salt }) = fault else { return None };
    Canary::among(bytes_of(salt)?, from_segment, segments.saturating_sub(from_segment))
}

/// Changes one bit of a state, so that it looks whole and is not what the work gave.
pub(crate) fn fabricate(state: &Path) -> io::Result<()> {
    let mut path = state.to_owned();
    while path.is_dir() {
        let mut inside: Vec<PathBuf> =
            fs::read_dir(&path)?.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<_>>()?;
        inside.sort();
        let Some(first) = inside.into_iter().next() else { return Ok(()) };
        path = first;
    }
    let mut bytes = fs::read(&path)?;
    let middle = bytes.len() / 2;
    if let Some(byte) = bytes.get_mut(middle) {
        *byte ^= 1;
    }
    fs::write(path, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fabricated_state_has_the_same_size_and_one_other_bit() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("7")).unwrap();
        fs::write(dir.path().join("7/b"), b"second").unwrap();
        fs::write(dir.path().join("7/a"), b"first").unwrap();
        fabricate(&dir.path().join("7")).unwrap();
        assert_eq!(fs::read(dir.path().join("7/b")).unwrap(), b"second");
        let changed = fs::read(dir.path().join("7/a")).unwrap();
        let bits: u32 = changed.iter().zip(b"first").map(|(a, b)| (a ^ b).count_ones()).sum();
        assert_eq!((changed.len(), bits), (5, 1));
    }

    #[test]
    fn faults_strike_where_they_were_asked_for() {
        let fault = Fault::Fabricate { segments: [0, 3, 4].into() };
        let struck: Vec<u32> = (0..8).filter(|state| is_fabricated(Some(&fault), *state)).collect();
        assert_eq!(struck, [1, 4, 5]);
        assert!(!is_fabricated(None, 1) && canary(Some(&fault), 0, 8).is_none());
        let planted = canary(Some(&Fault::Canary { salt: wire::agent::hex_of(&[9; 32]) }), 3, 8).unwrap();
        assert!((4..=8).contains(&planted.index), "{}", planted.index);
        assert!(canary(Some(&Fault::Canary { salt: "0x09".to_owned() }), 0, 8).is_none());
    }
}
