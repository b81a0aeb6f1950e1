//! Sealed objects: AES-256-GCM over 64 KiB chunks in the STREAM construction (Hoang, Reyhanitabar, Rogaway and Vizar,
//! CRYPTO 2015): the nonce is prefix ‖ chunk counter ‖ last flag, so that chunks cannot be dropped, swapped or appended.
//!
//! Layout: `WAAGSEAL` ‖ version 1 ‖ 7-byte nonce prefix ‖ chunks, each with its 16-byte tag. The associated data of every
//! chunk is the header and the caller's context, so an object cannot pass for another.

use std::fmt;
use std::io::{self, Read, Write};

use domain::Entropy;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use zeroize::Zeroizing;

const MAGIC: &[u8; 8] = b"WAAGSEAL";
const VERSION: u8 = 1;
const PREFIX: usize = 7;
const HEADER: usize = MAGIC.len() + 1 + PREFIX;
const CHUNK: usize = 64 * 1024;
const TAG: usize = 16;

/// The key of one object. Wiped when dropped, never printed.
#[derive(Clone)]
pub struct DataKey(Zeroizing<[u8; 32]>);

impl DataKey {
    /// A fresh key.
    pub fn mint(entropy: &dyn Entropy) -> Self {
        let mut bytes = Zeroizing::new([0u8; 32]);
        entropy.fill(bytes.as_mut());
        Self(bytes)
    }

    pub(crate) fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    fn cipher(&self) -> Result<LessSafeKey, SealError> {
        UnboundKey::new(&AES_256_GCM, self.0.as_ref()).map(LessSafeKey::new).map_err(|_| SealError::Cipher)
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(***)")
    }
}

/// What sealing produced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sealed {
    /// Bytes read.
    pub plain_bytes: u64,
    /// Bytes written.
    pub sealed_bytes: u64,
}

/// An object could not be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The bytes could not be read or written.
    #[error("the bytes could not be moved")]
    Io(#[from] io::Error),
    /// It does not begin like a sealed object of this version.
    #[error("this is not a sealed object of version {VERSION}")]
    Header,
    /// A chunk does not verify: wrong key, wrong context, or changed, added or missing bytes.
    #[error(
        "chunk {chunk} does not verify: the key or the context is another one, or bytes were changed, added or cut off"
    )]
    Chunk {
        /// Counted from 0.
        chunk: u32,
    },
    /// The object ends between two chunks, before its last one.
    #[error("the sealed object is cut short")]
    Truncated,
    /// More than 2^32 chunks of 64 KiB.
    #[error("the object is larger than 256 TiB")]
    TooLarge,
    /// The cipher could not be set up.
    #[error("the cipher could not be set up")]
    Cipher,
}

/// The length of a sealed object with this much content.
pub const fn sealed_len(plain: u64) -> u64 {
    let full = plain.div_ceil(CHUNK as u64);
    HEADER as u64 + plain + (if full == 0 { 1 } else { full }) * TAG as u64
}

struct Stream {
    cipher: LessSafeKey,
    header: [u8; HEADER],
    context: Vec<u8>,
    counter: u32,
}

impl Stream {
    fn new(key: &DataKey, header: [u8; HEADER], context: &[u8]) -> Result<Self, SealError> {
        let mut aad = header.to_vec();
        aad.extend_from_slice(context);
        Ok(Self { cipher: key.cipher()?, header, context: aad, counter: 0 })
    }

    fn nonce(&self, last: bool) -> Nonce {
        let mut nonce = [0u8; 12];
        nonce[..PREFIX].copy_from_slice(&self.header[HEADER - PREFIX..]);
        nonce[PREFIX..11].copy_from_slice(&self.counter.to_be_bytes());
        nonce[11] = u8::from(last);
        Nonce::assume_unique_for_key(nonce)
    }

    /// Whether this chunk was sealed as one that others follow.
    fn has_successor(&self, mut chunk: Zeroizing<Vec<u8>>) -> bool {
        self.cipher.open_in_place(self.nonce(false), Aad::from(&self.context), &mut chunk).is_ok()
    }

    fn advance(&mut self) -> Result<(), SealError> {
        self.counter = self.counter.checked_add(1).ok_or(SealError::TooLarge)?;
        Ok(())
    }
}

/// Fills `buffer` up to `len` bytes; fewer mean that the input has ended.
fn fill(input: &mut impl Read, buffer: &mut Vec<u8>, len: usize) -> io::Result<()> {
    let missing = (len - buffer.len()) as u64;
    input.by_ref().take(missing).read_to_end(buffer)?;
    Ok(())
}

/// Seals everything that `input` has. Holds two chunks in memory.
///
/// # Errors
/// `Io` as input or output say.
pub fn seal(
    input: &mut impl Read,
    output: &mut impl Write,
    key: &DataKey,
    context: &[u8],
    entropy: &dyn Entropy,
) -> Result<Sealed, SealError> {
    let mut header = [0u8; HEADER];
    header[..8].copy_from_slice(MAGIC);
    header[8] = VERSION;
    entropy.fill(&mut header[9..]);
    output.write_all(&header)?;
    let mut stream = Stream::new(key, header, context)?;
    let mut sizes = Sealed { plain_bytes: 0, sealed_bytes: HEADER as u64 };
    let mut buffer = Vec::with_capacity(CHUNK + TAG);
    fill(input, &mut buffer, CHUNK)?;
    loop {
        // Only the next read tells whether this chunk is the last.
        let mut next = Vec::with_capacity(CHUNK + TAG);
        if buffer.len() == CHUNK {
            fill(input, &mut next, CHUNK)?;
        }
        let last = next.is_empty();
        sizes.plain_bytes += buffer.len() as u64;
        let nonce = stream.nonce(last);
        stream
            .cipher
            .seal_in_place_append_tag(nonce, Aad::from(&stream.context), &mut buffer)
            .map_err(|_| SealError::Cipher)?;
        output.write_all(&buffer)?;
        sizes.sealed_bytes += buffer.len() as u64;
        if last {
            return Ok(sizes);
        }
        stream.advance()?;
        buffer = next;
    }
}

/// Opens a sealed object. Chunks are written as they verify, so on an error the output holds a genuine beginning and
/// must be thrown away: that the rest is missing shows only at the end. Write to a temporary place and keep it only after
/// `Ok`. Returns the bytes written.
///
/// # Errors
/// `Header`, `Chunk` or `Truncated` when it is not what was sealed under this key and context.
pub fn open(
    input: &mut impl Read,
    output: &mut impl Write,
    key: &DataKey,
    context: &[u8],
) -> Result<u64, SealError> {
    let mut header = Vec::with_capacity(HEADER);
    fill(input, &mut header, HEADER)?;
    let header: [u8; HEADER] = header.try_into().map_err(|_| SealError::Header)?;
    if &header[..8] != MAGIC || header[8] != VERSION {
        return Err(SealError::Header);
    }
    let mut stream = Stream::new(key, header, context)?;
    let mut written = 0u64;
    let mut buffer = Vec::with_capacity(CHUNK + TAG);
    fill(input, &mut buffer, CHUNK + TAG)?;
    loop {
        if buffer.len() < TAG {
            return Err(SealError::Truncated);
        }
        let mut next = Vec::with_capacity(CHUNK + TAG);
        if buffer.len() == CHUNK + TAG {
            fill(input, &mut next, CHUNK + TAG)?;
        }
        let last = next.is_empty();
        // A failed opening spoils the buffer, and only a whole chunk can be one after which the rest is missing.
        let copy = (last && buffer.len() == CHUNK + TAG).then(|| Zeroizing::new(buffer.clone()));
        let plain =
            match stream.cipher.open_in_place(stream.nonce(last), Aad::from(&stream.context), &mut buffer) {
                Ok(plain) => plain,
                Err(_) if copy.is_some_and(|copy| stream.has_successor(copy)) => {
                    return Err(SealError::Truncated);
                }
                Err(_) => return Err(SealError::Chunk { chunk: stream.counter }),
            };
        output.write_all(plain)?;
        written += plain.len() as u64;
        if last {
            return Ok(written);
        }
        stream.advance()?;
        buffer = next;
    }
}

/// Seals small bytes.
///
/// # Errors
/// The cipher could not be set up.
pub fn seal_bytes(
    plain: &[u8],
    key: &DataKey,
    context: &[u8],
    entropy: &dyn Entropy,
) -> Result<Vec<u8>, SealError> {
    let mut out = Vec::with_capacity(plain.len() + HEADER + TAG);
    seal(&mut &plain[..], &mut out, key, context, entropy)?;
    Ok(out)
}

/// Opens small bytes; nothing comes out unless everything verifies.
///
/// # Errors
/// As [`open`].
pub fn open_bytes(sealed: &[u8], key: &DataKey, context: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let mut out = Zeroizing::new(Vec::with_capacity(sealed.len()));
    open(&mut &sealed[..], &mut *out, key, context)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::OsEntropy;
    use proptest::prelude::*;

    fn key() -> DataKey {
        DataKey::mint(&OsEntropy)
    }

    #[test]
    fn every_length_around_a_chunk_comes_back_whole() {
        for len in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 5] {
            let plain: Vec<u8> = (0..len).map(|n| (n % 251) as u8).collect();
            let key = key();
            let sealed = seal_bytes(&plain, &key, b"ctx", &OsEntropy).unwrap();
            assert_eq!(sealed.len() as u64, sealed_len(len as u64), "{len}");
            assert_eq!(*open_bytes(&sealed, &key, b"ctx").unwrap(), plain, "{len}");
        }
    }

    #[test]
    fn any_changed_byte_any_cut_and_any_addition_is_refused() {
        let key = key();
        let sealed = seal_bytes(b"weigh it twice", &key, b"ctx", &OsEntropy).unwrap();
        for at in 0..sealed.len() {
            let mut bad = sealed.clone();
            bad[at] ^= 1;
            assert!(open_bytes(&bad, &key, b"ctx").is_err(), "byte {at}");
            assert!(open_bytes(&sealed[..at], &key, b"ctx").is_err(), "cut at {at}");
        }
        let mut longer = sealed.clone();
        longer.push(0);
        assert!(open_bytes(&longer, &key, b"ctx").is_err());
        assert!(open_bytes(&sealed, &key, b"other").is_err());
        assert!(open_bytes(&sealed, &self::key(), b"ctx").is_err());
    }

    #[test]
    fn chunks_cannot_be_dropped_or_swapped() {
        let key = key();
        let plain = vec![7u8; 3 * CHUNK];
        let sealed = seal_bytes(&plain, &key, b"", &OsEntropy).unwrap();
        let chunk = |n: usize| HEADER + n * (CHUNK + TAG)..HEADER + (n + 1) * (CHUNK + TAG);
        for kept in 1..3 {
            let cut = &sealed[..HEADER + kept * (CHUNK + TAG)];
            assert!(matches!(open_bytes(cut, &key, b""), Err(SealError::Truncated)), "{kept} chunks kept");
        }
        let mut extended = sealed.clone();
        extended.extend_from_slice(&sealed[chunk(2)]);
        assert!(matches!(open_bytes(&extended, &key, b""), Err(SealError::Chunk { chunk: 2 })));
        let mut changed = sealed.clone();
        changed[chunk(2).start] ^= 1;
        assert!(matches!(open_bytes(&changed, &key, b""), Err(SealError::Chunk { chunk: 2 })));
        let mut swapped = sealed.clone();
        let first = sealed[chunk(0)].to_vec();
        swapped[chunk(0)].copy_from_slice(&sealed[chunk(1)]);
        swapped[chunk(1)].copy_from_slice(&first);
        assert!(matches!(open_bytes(&swapped, &key, b""), Err(SealError::Chunk { chunk: 0 })));
    }

    #[test]
    fn no_byte_of_a_chunk_that_does_not_verify_is_released() {
        let key = key();
        let plain: Vec<u8> = (0..3 * CHUNK).map(|n| (n % 251) as u8).collect();
        let mut sealed = seal_bytes(&plain, &key, b"", &OsEntropy).unwrap();
        sealed[HEADER + 2 * (CHUNK + TAG) - 1] ^= 1;
        let mut released = Vec::new();
        let refused = open(&mut &sealed[..], &mut released, &key, b"");
        assert!(matches!(refused, Err(SealError::Chunk { chunk: 1 })));
        assert_eq!(released, plain[..CHUNK]);
    }

    /// A source of `left` bytes that hands out few at a time and remembers how much was taken.
    struct Trickle<'a> {
        left: usize,
        taken: &'a std::cell::Cell<usize>,
    }

    impl Read for Trickle<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let n = out.len().min(self.left).min(1000);
            out[..n].fill(9);
            self.left -= n;
            self.taken.set(self.taken.get() + n);
            Ok(n)
        }
    }

    /// Fails when more than two chunks are held back.
    struct Watch<'a> {
        written: usize,
        taken: &'a std::cell::Cell<usize>,
    }

    impl Write for Watch<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            assert!(self.taken.get() <= self.written + 2 * (CHUNK + TAG));
            self.written += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_long_slow_stream_is_sealed_in_bounded_memory() {
        let taken = std::cell::Cell::new(0);
        let len = 5 * CHUNK + 7;
        let (mut input, mut output) =
            (Trickle { left: len, taken: &taken }, Watch { written: 0, taken: &taken });
        let sizes = seal(&mut input, &mut output, &key(), b"", &OsEntropy).unwrap();
        assert_eq!((sizes.plain_bytes, sizes.sealed_bytes), (len as u64, sealed_len(len as u64)));
        assert_eq!(sizes.sealed_bytes, output.written as u64);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn what_was_sealed_opens(plain in proptest::collection::vec(any::<u8>(), 0..200_000)) {
            let key = key();
            let sealed = seal_bytes(&plain, &key, b"c", &OsEntropy).unwrap();
            prop_assert_eq!(&*open_bytes(&sealed, &key, b"c").unwrap(), &plain);
        }
    }
}
