//! Catalogues that are right, and broken in every way we know: nothing is guessed, nothing grows.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::io::{BufReader, Read};

use domain::{GpuModel, Timestamp, UsdPerHour};
use waag_wire::catalog::{CatalogError, Entry, Held, Listing, Reason, Summary, read, unzipped};

const HEADER: &str = "provider,network,instance_type,gpu,gpu_count,gpu_mem_gib,vcpus,mem_gib,region,price_usd_hour,spot_price_usd_hour,source,as_of,zone,upstream,price_scope";
const ROW: &str = "aws,hyperscaler,p5.48xlarge,H100-SXM,8,80,192,2048,us-east-1,55.04,18.72,repo@1:a.csv,2026-01-02,use1-az4,,instance";

/// Up to a hundred dollars.
fn up_to_hundred(_: GpuModel, price: UsdPerHour) -> bool {
    price <= "100".parse().unwrap()
}

fn whole(input: impl Read) -> Result<(Summary, Vec<Listing>, Vec<Held>), CatalogError> {
    let (mut listings, mut held) = (Vec::new(), Vec::new());
    let summary = read(BufReader::new(input), &up_to_hundred, &mut |entry| {
        match entry {
            Entry::Listing(one) => listings.push(*one),
            Entry::Held(one) => held.push(one),
        }
        true
    })?;
    Ok((summary, listings, held))
}

fn rows(rows: &str) -> (Summary, Vec<Listing>, Vec<Held>) {
    whole(format!("{HEADER}\n{rows}\n").as_bytes()).unwrap()
}

/// The row with one field changed.
fn with(column: &str, value: &str) -> String {
    let at = HEADER.split(',').position(|name| name == column).unwrap();
    let mut fields: Vec<&str> = ROW.split(',').collect();
    fields[at] = value;
    fields.join(",")
}

#[test]
fn a_row_is_two_listings_that_keep_what_was_quoted() {
    let (summary, listings, held) = rows(ROW);
    assert_eq!((summary.rows, summary.listings, held.len()), (1, 2, 0));
    let [demand, spot] = &listings[..] else { panic!("{listings:?}") };
    assert_eq!((demand.price, demand.spot), ("55.04".parse().unwrap(), false));
    assert_eq!((spot.price, spot.spot), ("18.72".parse().unwrap(), true));
    let offer = demand.offer(Timestamp(5));
    assert_eq!(offer.id.reference, "p5.48xlarge/H100-SXM:8/us-east-1/use1-az4/");
    assert_eq!(spot.offer(Timestamp(5)).id.reference, "p5.48xlarge/H100-SXM:8/us-east-1/use1-az4//spot");
    assert_eq!(offer.region, Some("US-VA".parse().unwrap()));
    assert_eq!((offer.hardware.cpus_milli, offer.hardware.memory_mib), (192_000, 2_097_152));
    assert_eq!((offer.quote.amount.as_str(), offer.quote.unit.as_str()), ("55.04", "USD/h"));
    assert_eq!(summary.models, [("H100", 2)].into());
}

#[test]
fn a_wrong_row_is_held_back_with_its_reason() {
    let long = "x".repeat(100_000);
    let cases = [
        ("price_scope", "accelerator_only", Reason::WrongScope),
        ("price_scope", "", Reason::MissingField),
        ("provider", "Amazon Web Services", Reason::BadName),
        ("provider", "", Reason::MissingField),
        ("gpu", "H101", Reason::UnknownGpu),
        ("gpu", "", Reason::MissingField),
        ("gpu_count", "0", Reason::BadNumber),
        ("gpu_count", "0.5", Reason::BadNumber),
        ("gpu_count", "-8", Reason::BadNumber),
        ("gpu_count", "5000", Reason::BadNumber),
        ("gpu_mem_gib", "24", Reason::MemoryContradicts),
        ("gpu_mem_gib", "80GB", Reason::BadNumber),
        ("vcpus", "many", Reason::BadNumber),
        ("mem_gib", "-1", Reason::BadNumber),
        ("mem_gib", "inf", Reason::BadNumber),
        ("mem_gib", "1e99", Reason::BadNumber),
        ("region", "", Reason::MissingField),
        ("price_usd_hour", "-1.00", Reason::NegativePrice),
        ("price_usd_hour", "NaN", Reason::BadNumber),
        ("price_usd_hour", "$3.20", Reason::BadNumber),
        ("price_usd_hour", "3.20 EUR", Reason::BadNumber),
        ("price_usd_hour", "1e2", Reason::BadNumber),
        ("price_usd_hour", "1.0000001x", Reason::BadNumber),
        ("price_usd_hour", "99999999999999999999", Reason::BadNumber),
        ("spot_price_usd_hour", "-1", Reason::NegativePrice),
        ("region", long.as_str(), Reason::RowTooLong),
    ];
    for (column, value, reason) in cases {
        let (summary, listings, held) = rows(&with(column, value));
        let found: Vec<_> = held.iter().map(|one| one.reason).collect();
        assert_eq!((listings.len(), found), (0, vec![reason]), "{column} {value:.40}");
        assert_eq!((held[0].line, summary.held), (2, [(reason, 1)].into()), "{column}");
        assert!(held[0].what.len() < 200, "{column}");
    }
}

#[test]
fn a_price_that_cannot_be_relied_on_is_held_back_beside_a_good_one() {
    let judged = |column: &str, value: &str| {
        let (_, listings, held) = rows(&with(column, value));
        (
            listings.iter().map(|one| one.spot).collect::<Vec<_>>(),
            held.iter().map(|one| one.reason).collect::<Vec<_>>(),
        )
    };
    assert_eq!(judged("price_usd_hour", "0"), (vec![true], vec![Reason::ZeroPrice]));
    assert_eq!(judged("price_usd_hour", ""), (vec![true], vec![]));
    assert_eq!(judged("spot_price_usd_hour", "0.00"), (vec![false], vec![]));
    assert_eq!(judged("price_usd_hour", "5504"), (vec![true], vec![Reason::AbsurdPrice]), "cents");
    let both = with("price_usd_hour", "0").replace("18.72", "");
    let (_, listings, held) = rows(&both);
    assert_eq!((listings.len(), held[0].reason), (0, Reason::ZeroPrice));
    let none = with("price_usd_hour", "").replace("18.72", "0");
    assert_eq!(rows(&none).2[0].reason, Reason::NoPrice);
}

#[test]
fn digits_beyond_a_micro_dollar_are_rounded_up() {
    let price = |text: &str| rows(&with("price_usd_hour", text)).1[0].price;
    assert_eq!(price("12.290000000000001"), "12.290001".parse().unwrap());
    assert_eq!(price("12.290000000000000"), "12.29".parse().unwrap());
}

#[test]
fn repeated_listings_are_held_back_whatever_they_ask() {
    let dearer = with("price_usd_hour", "60.00");
    let (summary, listings, held) = rows(&format!("{ROW}\n{dearer}\n{}", with("region", "us-east-2")));
    assert_eq!((listings.len(), held.len()), (4, 2));
    assert!(held.iter().all(|one| one.reason == Reason::Duplicate && one.line == 3));
    assert!(summary.duplicates_complete);
    let (_, listings, held) = rows(&format!("{ROW}\n{}", with("as_of", "2026-02-03")));
    assert_eq!((listings.len(), held.len()), (4, 0), "another day is another listing");
}

#[test]
fn a_header_that_does_not_do_is_refused_with_what_is_missing() {
    let error = |text: &[u8]| whole(text).err().map(|error| error.to_string());
    assert!(matches!(whole(&b""[..]), Err(CatalogError::Empty)));
    assert_eq!(
        error(b"provider,gpu\naws,H100\n").unwrap(),
        "the catalogue has no column instance_type, gpu_count, region, price_usd_hour, price_scope"
    );
    assert_eq!(error(format!("{HEADER},gpu\n").as_bytes()).unwrap(), "the catalogue has two columns gpu");
    assert!(error(b"\xff\xfe,provider\n").unwrap().contains("UTF-8"));
    assert!(error(&vec![b'x'; 200_000]).unwrap().contains("too long"));
    let marked = format!("\u{feff}{}\n{ROW}\n", HEADER.to_uppercase());
    assert_eq!(
        whole(marked.as_bytes()).unwrap().0.listings,
        2,
        "a byte order mark and capitals are no fault"
    );
    let shuffled = "price_scope,region,gpu_count,gpu,instance_type,provider,price_usd_hour,colour\ninstance,FI,1,A40,a,runpod,0.40,red\n";
    assert_eq!(whole(shuffled.as_bytes()).unwrap().1[0].place, Some("EU-FI".parse().unwrap()));
}

#[test]
fn what_is_not_text_or_never_ends_costs_one_row() {
    let mut bytes = format!("{HEADER}\n").into_bytes();
    bytes.extend(ROW.replace("p5.48xlarge", "a").bytes());
    bytes.extend(b"\naws,x,\xff\xfe,H100\n");
    bytes.extend(b"aws,too,short\r\n\r\n");
    bytes.extend(ROW.bytes());
    let (summary, _, held) = whole(&bytes[..]).unwrap();
    assert_eq!((summary.rows, summary.listings), (4, 4));
    let found: Vec<_> = held.iter().map(|one| (one.line, one.reason)).collect();
    assert_eq!(found, [(3, Reason::NotUtf8), (4, Reason::FieldCount)]);

    // A quotation mark that is never closed takes the rest, and no more memory than a row.
    let open = format!("{HEADER}\n{ROW}\naws,\"{}", "x\n".repeat(100_000));
    let (summary, listings, held) = whole(open.as_bytes()).unwrap();
    assert_eq!((summary.rows, listings.len()), (2, 2));
    assert_eq!(held[0].reason, Reason::RowTooLong);
}

/// As many rows as are asked for, each of another machine, without a file.
struct Endless {
    left: u64,
    row: Vec<u8>,
}

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.row.is_empty() && self.left > 0 {
            self.left -= 1;
            self.row = format!("{}\n", ROW.replace("p5.48xlarge", &format!("m{}", self.left))).into_bytes();
        }
        let n = self.row.len().min(buffer.len());
        buffer[..n].copy_from_slice(&self.row[..n]);
        self.row.drain(..n);
        Ok(n)
    }
}

#[test]
fn a_long_catalogue_is_read_row_by_row_and_can_be_left() {
    let input = format!("{HEADER}\n").into_bytes();
    let long = BufReader::new(input.chain(Endless { left: u64::MAX, row: Vec::new() }));
    let mut taken = 0;
    let summary = read(long, &up_to_hundred, &mut |_| {
        taken += 1;
        taken < 1_000
    })
    .unwrap();
    assert_eq!((taken, summary.listings), (1_000, 1_000));
}

#[test]
fn a_gzipped_catalogue_is_read_as_a_plain_one_and_a_cut_one_is_refused() {
    use std::io::Write;
    let plain = format!("{HEADER}\n{ROW}\n");
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    writer.write_all(plain.as_bytes()).unwrap();
    let zipped = writer.finish().unwrap();
    let through = |bytes: &[u8]| whole(unzipped(bytes).unwrap()).map(|(summary, ..)| summary.listings);
    assert_eq!(through(&zipped).unwrap(), 2);
    assert_eq!(through(plain.as_bytes()).unwrap(), 2);
    let cut = through(&zipped[..zipped.len() - 12]).unwrap_err();
    assert!(matches!(cut, CatalogError::Read { .. }), "{cut}");
}
