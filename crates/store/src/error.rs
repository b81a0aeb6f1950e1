//! What can go wrong in the data store.

use std::path::PathBuf;

/// A data store call failed. The transaction it was part of is to be dropped, which leaves nothing of it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database answered with an error.
    #[error("the database could not {doing}")]
    Database {
        /// What was being done, e.g. `insert a lease`.
        doing: &'static str,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
    /// A stored value is not one that this program writes.
    #[error("the database holds an unreadable {what}: `{value}`")]
    Unreadable {
        /// Which value.
        what: &'static str,
        /// What stands there.
        value: String,
    },
    /// Another control plane owns the data folder now.
    #[error("another control plane has taken over this data folder, so nothing was written")]
    Fenced,
    /// Another control plane has the data folder open.
    #[error("the data folder {folder} is in use by another control plane: stop it, or choose another folder")]
    InUse {
        /// The folder.
        folder: PathBuf,
    },
    /// The data folder was written by another version.
    #[error(
        "the data folder has schema version {found}, this program needs {needed}: use the program that wrote it"
    )]
    Schema {
        /// What it has.
        found: String,
        /// What we need.
        needed: &'static str,
    },
    /// The data folder cannot be used.
    #[error("the data folder {folder} cannot be used")]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The folder of objects answered with an error.
    #[error("the object folder could not {doing}")]
    Objects {
        /// What was being done.
        doing: &'static str,
        /// Why.
        #[source]
        source: object_store::Error,
    },
    /// The bookkeeping would no longer add up; the change was refused.
    #[error("the ledger refused to {doing}: {why}")]
    Ledger {
        /// What was being done.
        doing: &'static str,
        /// Why it does not add up.
        why: &'static str,
    },
}

/// Names what was being done when the database failed.
pub(crate) trait Doing<T> {
    fn doing(self, doing: &'static str) -> Result<T, Error>;
}

impl<T> Doing<T> for Result<T, sqlx::Error> {
    fn doing(self, doing: &'static str) -> Result<T, Error> {
        self.map_err(|source| Error::Database { doing, source })
    }
}
