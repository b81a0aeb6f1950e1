//! `waag catalog`, and `waag offers` over a catalogue: list prices of others, without a control plane.
//!
//! - `check.rs`: what of it can be relied on.
//! - `listed.rs`: its listings, filtered and in order.

mod check;
mod listed;

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use anyhow::Context;
use wire::catalog::{CatalogError, Entry, Summary, read, unzipped};

use crate::args::{CatalogCommand, Offers};
use crate::failure::{Done, Exit, Failure};
use crate::settings::Settings;
use crate::show::Out;

/// Below the data folder.
const IMPORTED: &str = "catalog/prices";
/// Read at once.
const BUFFER: usize = 256 * 1024;

pub(crate) fn run(settings: impl FnOnce() -> Done<Settings>, command: &CatalogCommand, out: &Out) -> Done {
    match command {
        CatalogCommand::Check(args) => check::run(args, out),
        CatalogCommand::Import { file } => import(&settings()?, file, out),
    }
}

/// Lists a catalogue: the one named, else the imported one.
pub(crate) fn offers(settings: impl FnOnce() -> Done<Settings>, args: &Offers, out: &Out) -> Done {
    let path = match &args.catalog {
        Some(path) => path.clone(),
        None => {
            let path = imported(&settings()?);
            if !path.exists() {
                return Err(Failure::new(Exit::NotFound, "no_catalog", "no price catalogue was imported")
                    .why("these filters look through list prices, not through live offers")
                    .next("`waag catalog import FILE`, or name one with --catalog"));
            }
            path
        }
    };
    listed::run(&path, args, out)
}

fn imported(settings: &Settings) -> PathBuf {
    settings.data.join(IMPORTED)
}

/// Keeps a copy, once it was read to its end.
fn import(settings: &Settings, file: &Path, out: &Out) -> Done {
    let summary = each(file, &mut |_| true)?;
    if summary.listings == 0 {
        return Err(Failure::new(Exit::Usage, "catalog_unusable", "the catalogue has nothing to rely on")
            .next(format!("`waag catalog check {}`", file.display())));
    }
    let path = imported(settings);
    let folder = path.parent().context("find the folder of the catalogue")?;
    std::fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
    // A reader sees the old one or the new one, never half of it.
    let mut part = tempfile::NamedTempFile::new_in(folder).context("make a file in the data folder")?;
    let mut input = File::open(file).with_context(|| format!("read {}", file.display()))?;
    std::io::copy(&mut input, &mut part).context("copy the catalogue")?;
    part.as_file().sync_all().context("copy the catalogue")?;
    part.persist(&path).with_context(|| format!("write {}", path.display()))?;
    out.either(&check::document(&summary, Vec::new()), || {
        let held: u64 = summary.held.values().sum();
        format!("{} listings of {} rows imported, {held} held back", summary.listings, summary.rows)
    });
    out.next("waag offers --gpu H100 --sort total");
    Ok(())
}

/// Reads the file to its end, or until `sink` has enough.
pub(crate) fn each(file: &Path, sink: &mut dyn FnMut(Entry) -> bool) -> Done<Summary> {
    let input = open(file).map_err(|error| unreadable(file, &error.to_string()))?;
    read(input, &policy::price::plausible, sink).map_err(|error| match &error {
        CatalogError::Read { source, .. } => unreadable(file, &error.to_string()).why(source),
        _ => Failure::new(Exit::Usage, "catalog_unusable", error.to_string()).next(
            "its first line must name at least provider, instance_type, gpu, gpu_count, region, price_usd_hour and price_scope; docs/offers.md says what they mean",
        ),
    })
}

fn open(file: &Path) -> std::io::Result<Box<dyn BufRead>> {
    unzipped(BufReader::with_capacity(BUFFER, File::open(file)?))
}

fn unreadable(file: &Path, why: &str) -> Failure {
    let what = format!("the catalogue {} cannot be read", file.display());
    Failure::new(Exit::Usage, "catalog_unreadable", what).why(why).next("name a CSV file, plain or gzipped")
}
