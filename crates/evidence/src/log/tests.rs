//! Our log against an implementation that is not ours (`ct-merkle`), and against tampering.

use std::collections::BTreeMap;

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use ct_merkle::{ConsistencyProof, InclusionProof, RootHash};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use proptest::prelude::*;
use sha2::Sha256;

use super::*;

/// The files of a log, as a folder has them.
type Files = BTreeMap<String, Vec<u8>>;

fn read(files: &Files) -> impl FnMut(&str) -> Result<Option<Vec<u8>>, Wrong> + '_ {
    |path| Ok(files.get(path).cloned())
}

fn entry(n: u64) -> Vec<u8> {
    format!("{{\"n\":{n}}}").into_bytes()
}

fn verify(public: &[u8; 32], text: &[u8], signature: &[u8; 64]) -> bool {
    let key = VerifyingKey::from_bytes(public).unwrap();
    key.verify_strict(text, &Signature::from_bytes(signature)).is_ok()
}

fn signing() -> (Key, SigningKey) {
    let signing = SigningKey::from_bytes(&[7; 32]);
    (Key::new("waag.local/test", signing.verifying_key().to_bytes()).unwrap(), signing)
}

/// Stores what a log has grown by, with its signed head.
fn publish(log: &mut Growing, files: &mut Files) -> Checkpoint {
    let (key, signing) = signing();
    let head = Checkpoint { origin: key.name().to_owned(), size: log.size(), root: log.root() };
    for (tile, bytes) in log.take_files() {
        files.insert(tile.to_string(), bytes);
    }
    let note = head.sign(&key, |text| signing.sign(text).to_bytes());
    files.insert(CHECKPOINT.to_owned(), note.into_bytes());
    head
}

/// A log of `size` entries, published at each of the sizes given on the way.
fn published(size: u64, sizes: &[u64]) -> (Files, Checkpoint) {
    let (mut log, mut files) = (Growing::default(), Files::new());
    for n in 0..size {
        if sizes.contains(&n) {
            publish(&mut log, &mut files);
        }
        log.push(&entry(n)).unwrap();
    }
    let head = publish(&mut log, &mut files);
    (files, head)
}

fn theirs(size: u64) -> MemoryBackedTree<Sha256, Vec<u8>> {
    let mut tree = MemoryBackedTree::new();
    (0..size).for_each(|n| tree.push(entry(n)));
    tree
}

fn check_all(files: &Files) -> Result<u64, Wrong> {
    let (key, _) = signing();
    let head = open_checkpoint(read(files), &key, &verify)?;
    let mut seen = 0;
    check(&mut Reader::new(head.size, read(files)), &head, |index, bytes| {
        assert_eq!(index, seen);
        assert!(!bytes.is_empty());
        seen += 1;
        Ok::<(), Wrong>(())
    })?;
    Ok(seen)
}

const SIZES: [u64; 14] = [0, 1, 2, 3, 7, 8, 255, 256, 257, 511, 512, 700, 1_000, 66_000];

#[test]
fn roots_are_those_of_another_implementation() {
    for size in SIZES {
        let (files, head) = published(size, &[]);
        assert_eq!(head.root.as_slice(), theirs(size).root().as_bytes().as_slice(), "{size}");
        assert_eq!(Reader::new(size, read(&files)).root(size).unwrap(), head.root, "{size}");
        assert_eq!(check_all(&files), Ok(size));
    }
}

#[test]
fn another_implementation_takes_our_inclusion_proofs_and_we_take_its() {
    for size in SIZES.into_iter().filter(|size| *size > 0) {
        let ((files, head), tree) = (published(size, &[]), theirs(size));
        let mut reader = Reader::new(size, read(&files));
        let root = RootHash::<Sha256>::new(head.root.into(), size);
        for index in [0, 1, size / 2, size.saturating_sub(2), size - 1].into_iter().filter(|n| *n < size) {
            let path = reader.inclusion(index, size).unwrap();
            let proof = InclusionProof::<Sha256>::try_from_bytes(path.concat()).unwrap();
            root.verify_inclusion(&entry(index), index, &proof).unwrap();
            assert_eq!(reader.leaf(index).unwrap(), leaf_hash(&entry(index)));
            let other = tree.prove_inclusion(usize::try_from(index).unwrap());
            let other = other.as_bytes().as_chunks::<32>().0;
            assert!(includes(&leaf_hash(&entry(index)), index, size, &head.root, other));
            assert!(!includes(&leaf_hash(&entry(index + 1)), index, size, &head.root, other));
            assert!(!includes(&leaf_hash(&entry(index)), index + 1, size, &head.root, other));
            assert!(root.verify_inclusion(&entry(index + 1), index, &proof).is_err());
        }
        assert!(reader.inclusion(size, size).is_err());
    }
}

#[test]
fn another_implementation_takes_our_consistency_proofs_and_we_take_its() {
    for (older, newer) in [(1, 2), (3, 7), (8, 257), (255, 256), (256, 700), (700, 1_000), (300, 66_000)] {
        let ((files, head), (_, before)) = (published(newer, &[]), published(older, &[]));
        let path = Reader::new(newer, read(&files)).consistency(older, newer).unwrap();
        let (old, new) = (theirs(older).root(), RootHash::<Sha256>::new(head.root.into(), newer));
        let proof = ConsistencyProof::<Sha256>::try_from_bytes(path.concat()).unwrap();
        new.verify_consistency(&old, &proof).unwrap();
        let tree = theirs(newer);
        let other = tree.prove_consistency(usize::try_from(newer - older).unwrap());
        let other = other.as_bytes().as_chunks::<32>().0;
        assert!(consistent((older, &before.root), (newer, &head.root), other));
        assert!(!consistent((older, &[1; 32]), (newer, &head.root), other), "rewritten before {older}");
        assert!(!consistent((older, &before.root), (newer, &[1; 32]), other));
        assert!(!consistent((older, &before.root), (newer, &head.root), &[]));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_two_sizes_of_one_log_are_consistent_and_no_changed_proof_is(
        newer in 2u64..1_200, older in 0u64..1_200, at in 0usize..20, bit in 0u8..8,
    ) {
        let older = older % (newer + 1);
        let ((files, head), (_, before)) = (published(newer, &[]), published(older, &[]));
        let mut path = Reader::new(newer, read(&files)).consistency(older, newer).unwrap();
        prop_assert!(consistent((older, &before.root), (newer, &head.root), &path));
        if !path.is_empty() {
            let at = at % path.len();
            path[at][3] ^= 1 << bit;
            prop_assert!(!consistent((older, &before.root), (newer, &head.root), &path));
        }
    }

    #[test]
    fn a_log_goes_on_from_its_files_as_if_it_had_never_stopped(first in 0u64..600, more in 0u64..600) {
        let (mut files, head) = published(first, &[]);
        let mut log = Growing::resume(&mut Reader::new(first, read(&files)), first, &head.root).unwrap();
        (first..first + more).for_each(|n| log.push(&entry(n)).unwrap());
        let again = publish(&mut log, &mut files);
        let (whole, straight) = published(first + more, &[first]);
        prop_assert_eq!(again, straight);
        prop_assert_eq!(files, whole);
    }
}

#[test]
fn a_reader_with_an_old_checkpoint_finds_its_partial_tiles_in_the_full_ones() {
    let (mut files, _) = published(1_000, &[300]);
    let (_, old) = published(300, &[]);
    files.retain(|path, _| !path.contains("001.p/"));
    let mut reader = Reader::new(300, read(&files));
    check::<_, _, Wrong>(&mut reader, &old, |_, _| Ok(())).unwrap();
}

#[test]
fn tampering_is_found_and_named() {
    let (whole, head) = published(700, &[]);
    assert_eq!(check_all(&whole), Ok(700));
    let spoil = |change: &dyn Fn(&mut Files)| {
        let mut files = whole.clone();
        change(&mut files);
        check_all(&files).unwrap_err()
    };
    let flip = |path: &'static str, at: usize| spoil(&move |files| files.get_mut(path).unwrap()[at] ^= 1);
    for path in ["tile/0/000", "tile/0/002.p/188", "tile/1/000.p/2"] {
        assert_eq!(flip(path, 40), Wrong::Tile(path.to_owned()));
    }
    let second = Wrong::Entry { index: 256, path: "tile/entries/001".to_owned() };
    assert_eq!(flip("tile/entries/001", 5), second);
    assert!(matches!(flip("tile/entries/001", 0), Wrong::Damaged { .. }), "a length");
    let removed = |path: &'static str| spoil(&move |files| assert!(files.remove(path).is_some()));
    for path in ["tile/0/000", "tile/1/000.p/2", "tile/entries/002.p/188", CHECKPOINT] {
        assert_eq!(removed(path), Wrong::Missing(path.to_owned()));
    }
    let cut = spoil(&|files| files.get_mut("tile/entries/000").unwrap().truncate(100));
    assert!(matches!(cut, Wrong::Damaged { .. }), "{cut}");
    assert_eq!(flip(CHECKPOINT, 18), Wrong::Signature("waag.local/test".to_owned()), "its size");
    // Entry and tile changed alike: only the signed root tells.
    let both = spoil(&|files| {
        files.get_mut("tile/entries/000").unwrap()[4] ^= 1;
        let hash = leaf_hash(&files["tile/entries/000"][2..9]);
        files.get_mut("tile/0/000").unwrap()[..32].copy_from_slice(&hash);
    });
    assert_eq!(both, Wrong::Root { size: head.size });
}

#[test]
fn a_checkpoint_of_another_key_or_log_is_refused() {
    let (key, signing) = signing();
    let head = Checkpoint { origin: key.name().to_owned(), size: 3, root: [9; 32] };
    let note = head.sign(&key, |text| signing.sign(text).to_bytes());
    assert_eq!(Checkpoint::open(note.as_bytes(), &key, &verify), Ok(head.clone()));
    let other = SigningKey::from_bytes(&[8; 32]);
    let stranger = Key::new(key.name(), other.verifying_key().to_bytes()).unwrap();
    assert!(matches!(Checkpoint::open(note.as_bytes(), &stranger, &verify), Err(Wrong::Unsigned { .. })));
    let elsewhere = Checkpoint { origin: "waag.local/other".to_owned(), ..head };
    let note = elsewhere.sign(&key, |text| signing.sign(text).to_bytes());
    assert!(matches!(Checkpoint::open(note.as_bytes(), &key, &verify), Err(Wrong::Origin { .. })));
}

// Key and note from the documentation of Go's package `note`, where the format comes from.
#[test]
fn a_note_that_others_signed_opens() {
    let key = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    let note = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n\u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
    let key = Key::parse(key).unwrap();
    let note = Note::parse(note.as_bytes()).unwrap();
    assert_eq!(note.open(&key, &verify).map(str::len), Ok(99));
}

#[test]
fn keys_are_read_whole_or_not_at_all() {
    let (key, _) = signing();
    let text = key.to_string();
    assert_eq!(Key::parse(&text), Ok(key.clone()));
    assert!(Key::parse(&text.replace("waag.local/test", "waag.local/text")).is_err());
    assert!(Key::parse(text.rsplit_once('+').unwrap().0).is_err());
    assert!(Key::parse(&format!("{text}A")).is_err());
    for name in ["", "a b", "a+b", "a\nb"] {
        assert!(Key::new(name, [1; 32]).is_err(), "{name:?}");
    }
}

#[test]
fn texts_that_are_no_notes_or_checkpoints_are_refused() {
    for note in [
        &b""[..],
        b"\n\n",
        b"text\n",
        b"text\n\n",
        b"text\n\n- name AAAAAAA=\n",
        b"\xff\n\n\xe2\x80\x94 a AAAAAAAA\n",
    ] {
        assert!(Note::parse(note).is_err(), "{note:?}");
    }
    let root = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    assert!(Checkpoint::parse(&format!("o\n12\n{root}\nmore\n")).is_ok());
    for text in [
        format!("\n1\n{root}\n"),
        format!("o\n01\n{root}\n"),
        format!("o\n-1\n{root}\n"),
        "o\n1\nAAAA\n".to_owned(),
        format!("o\n1\n{root}"),
    ] {
        assert!(Checkpoint::parse(&text).is_err(), "{text:?}");
    }
}

#[test]
fn an_entry_may_have_64_kib_less_one_byte_and_no_more() {
    let (mut log, mut files) = (Growing::default(), Files::new());
    log.push(&vec![b'x'; ENTRY_BYTES_MAX]).unwrap();
    assert_eq!(log.push(&vec![b'x'; ENTRY_BYTES_MAX + 1]), Err(Wrong::TooLong(65_536)));
    log.push(b"y").unwrap();
    publish(&mut log, &mut files);
    assert_eq!(log.size(), 2);
    assert_eq!(check_all(&files), Ok(2));
}
