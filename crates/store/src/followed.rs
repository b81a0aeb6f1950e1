//! How far something outside was followed.

use crate::error::Doing;
use crate::row::Columns;
use crate::{Error, Store, Tx};

impl Store {
    /// The place up to which `name` was followed; `None` before the first.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn followed_get(&self, name: &str) -> Result<Option<String>, Error> {
        let row = sqlx::query("SELECT place FROM followed WHERE name = $1")
            .bind(name)
            .fetch_optional(&self.read)
            .await
            .doing("read how far something was followed")?;
        row.map(|row| Columns(&row).text("place")).transpose()
    }
}

impl Tx {
    /// Keeps the place up to which `name` was followed.
    ///
    /// # Errors
    /// The database could not be written.
    pub async fn followed_set(&mut self, name: &str, place: &str) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO followed (name, place) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET place = $2",
        )
        .bind(name)
        .bind(place)
        .execute(self.conn())
        .await
        .doing("keep how far something was followed")?;
        Ok(())
    }
}
