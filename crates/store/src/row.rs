//! Columns to domain types and back.

use std::str::FromStr;

use domain::{Timestamp, Usd};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use crate::Error;
use crate::error::Doing;

/// Reads columns by name with the types this store uses.
pub(crate) struct Columns<'r>(pub(crate) &'r SqliteRow);

impl Columns<'_> {
    pub(crate) fn int(&self, name: &'static str) -> Result<i64, Error> {
        self.0.try_get(name).doing("read a row")
    }

    pub(crate) fn maybe_int(&self, name: &'static str) -> Result<Option<i64>, Error> {
        self.0.try_get(name).doing("read a row")
    }

    pub(crate) fn count(&self, name: &'static str) -> Result<u32, Error> {
        let n = self.int(name)?;
        u32::try_from(n).map_err(|_| Error::Unreadable { what: name, value: n.to_string() })
    }

    pub(crate) fn maybe_count(&self, name: &'static str) -> Result<Option<u32>, Error> {
        let n = self.maybe_int(name)?;
        n.map(|n| u32::try_from(n).map_err(|_| Error::Unreadable { what: name, value: n.to_string() }))
            .transpose()
    }

    pub(crate) fn size(&self, name: &'static str) -> Result<u64, Error> {
        let n = self.int(name)?;
        u64::try_from(n).map_err(|_| Error::Unreadable { what: name, value: n.to_string() })
    }

    pub(crate) fn text(&self, name: &'static str) -> Result<String, Error> {
        self.0.try_get(name).doing("read a row")
    }

    pub(crate) fn maybe_text(&self, name: &'static str) -> Result<Option<String>, Error> {
        self.0.try_get(name).doing("read a row")
    }

    pub(crate) fn maybe_bytes(&self, name: &'static str) -> Result<Option<Vec<u8>>, Error> {
        self.0.try_get(name).doing("read a row")
    }

    pub(crate) fn bytes(&self, name: &'static str) -> Result<Vec<u8>, Error> {
        self.0.try_get(name).doing("read a row")
    }

    pub(crate) fn digest(&self, name: &'static str) -> Result<[u8; 32], Error> {
        digest_of(name, &self.bytes(name)?)
    }

    pub(crate) fn maybe_digest(&self, name: &'static str) -> Result<Option<[u8; 32]>, Error> {
        self.maybe_bytes(name)?.map(|bytes| digest_of(name, &bytes)).transpose()
    }

    pub(crate) fn parsed<T: FromStr>(&self, name: &'static str) -> Result<T, Error> {
        let value = self.text(name)?;
        value.parse().map_err(|_| Error::Unreadable { what: name, value })
    }

    pub(crate) fn maybe_parsed<T: FromStr>(&self, name: &'static str) -> Result<Option<T>, Error> {
        self.maybe_text(name)?
            .map(|value| value.parse().map_err(|_| Error::Unreadable { what: name, value }))
            .transpose()
    }

    pub(crate) fn time(&self, name: &'static str) -> Result<Timestamp, Error> {
        self.int(name).map(Timestamp)
    }

    pub(crate) fn maybe_time(&self, name: &'static str) -> Result<Option<Timestamp>, Error> {
        Ok(self.maybe_int(name)?.map(Timestamp))
    }

    pub(crate) fn usd(&self, name: &'static str) -> Result<Usd, Error> {
        self.int(name).map(Usd::from_micros)
    }

    pub(crate) fn flag(&self, name: &'static str) -> Result<bool, Error> {
        Ok(self.int(name)? != 0)
    }
}

fn digest_of(name: &'static str, bytes: &[u8]) -> Result<[u8; 32], Error> {
    bytes.try_into().map_err(|_| Error::Unreadable { what: name, value: format!("{} bytes", bytes.len()) })
}
