//! Which columns a catalogue must have, and where it has them.

use super::CatalogError;

/// Without these a row decides nothing.
const NEEDED: [&str; 7] =
    ["provider", "instance_type", "gpu", "gpu_count", "region", "price_usd_hour", "price_scope"];
const KNOWN: [&str; 9] = [
    "network",
    "gpu_mem_gib",
    "vcpus",
    "mem_gib",
    "spot_price_usd_hour",
    "source",
    "as_of",
    "zone",
    "upstream",
];

#[derive(Debug)]
pub(super) struct Columns {
    /// Names with their places in a row.
    places: Vec<(&'static str, usize)>,
    /// Fields of a whole row.
    pub(super) count: usize,
}

impl Columns {
    /// Columns that nobody knows are passed over.
    pub(super) fn of(header: &[String]) -> Result<Self, CatalogError> {
        let mut places: Vec<(&'static str, usize)> = Vec::new();
        for (place, field) in header.iter().enumerate() {
            let field = field.trim_start_matches('\u{feff}').trim().to_ascii_lowercase();
            let Some(name) = NEEDED.into_iter().chain(KNOWN).find(|name| *name == field) else { continue };
            if places.iter().any(|(known, _)| *known == name) {
                return Err(CatalogError::Twice(name));
            }
            places.push((name, place));
        }
        let missing: Vec<_> =
            NEEDED.into_iter().filter(|name| !places.iter().any(|(known, _)| known == name)).collect();
        if missing.is_empty() {
            Ok(Self { places, count: header.len() })
        } else {
            Err(CatalogError::Columns(missing))
        }
    }

    /// The field in the column; empty where there is no such column.
    pub(super) fn field<'f>(&self, fields: &'f [String], name: &str) -> &'f str {
        let place = self.places.iter().find(|(known, _)| *known == name);
        place.and_then(|(_, n)| fields.get(*n)).map_or("", String::as_str)
    }
}
