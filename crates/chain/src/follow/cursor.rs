//! Where a follower stands, as text that a caller can keep in a column.

use std::fmt;
use std::str::FromStr;

use alloy::primitives::B256;

/// More hashes than any follower keeps.
const HASHES_MAX: usize = 1_024;

/// The last thing that a follower saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// Block number.
    pub number: u64,
    /// Hash of that block; zero before the first block was seen.
    pub hash: B256,
    /// The last event that was seen in it; `None` when all of it was.
    pub log_index: Option<u64>,
    /// Hashes of the blocks before, the nearest first.
    pub before: Vec<B256>,
}

/// A text is no cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the text is no cursor of an event follower")]
pub struct CursorError;

impl Cursor {
    /// A cursor that has seen nothing yet.
    pub(super) fn before_first(self) -> Self {
        Self { hash: B256::ZERO, log_index: None, before: Vec::new(), ..self }
    }

    /// The block before, all of it seen.
    pub(super) fn parent(&self) -> Option<Self> {
        let (hash, before) = self.before.split_first()?;
        Some(Self {
            number: self.number.checked_sub(1)?,
            hash: *hash,
            log_index: None,
            before: before.to_vec(),
        })
    }

    /// The hash of a block, if the cursor knows it.
    pub(super) fn hash_of(&self, number: u64) -> Option<B256> {
        match usize::try_from(self.number.checked_sub(number)?).ok()? {
            0 => Some(self.hash),
            back => self.before.get(back - 1).copied(),
        }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.number)?;
        if let Some(index) = self.log_index {
            write!(f, "{index}")?;
        }
        write!(f, ":{}", self.hash)?;
        self.before.iter().try_for_each(|hash| write!(f, ",{hash}"))
    }
}

impl FromStr for Cursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        let mut parts = text.splitn(3, ':');
        let mut part = || parts.next().ok_or(CursorError);
        let number = part()?.parse().map_err(|_| CursorError)?;
        let log_index = match part()? {
            "" => None,
            index => Some(index.parse().map_err(|_| CursorError)?),
        };
        let hashes: Result<Vec<B256>, _> = part()?.split(',').take(HASHES_MAX).map(str::parse).collect();
        let hashes = hashes.map_err(|_| CursorError)?;
        let (hash, before) = hashes.split_first().ok_or(CursorError)?;
        Ok(Self { number, hash: *hash, log_index, before: before.to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursor_comes_back_from_its_text() {
        let hashes = [B256::repeat_byte(2), B256::repeat_byte(1)];
        for (log_index, before) in [(None, vec![]), (Some(3), hashes.to_vec())] {
            let cursor = Cursor { number: 77, hash: B256::repeat_byte(9), log_index, before };
            assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }
        for text in ["", "1", "1:", "1::", "x::0x00", "1:y:", "1::0x12", "-1::"] {
            assert_eq!(text.parse::<Cursor>(), Err(CursorError), "{text}");
        }
    }

    #[test]
    fn cursor_knows_the_blocks_before_it() {
        let before = vec![B256::repeat_byte(2), B256::repeat_byte(1)];
        let cursor = Cursor { number: 7, hash: B256::repeat_byte(3), log_index: Some(1), before };
        assert_eq!(cursor.hash_of(7), Some(B256::repeat_byte(3)));
        assert_eq!(cursor.hash_of(5), Some(B256::repeat_byte(1)));
        assert_eq!((cursor.hash_of(4), cursor.hash_of(8)), (None, None));
        let oldest = cursor.parent().and_then(|parent| parent.parent()).unwrap();
        assert_eq!((oldest.number, oldest.log_index, oldest.parent()), (5, None, None));
    }
}
