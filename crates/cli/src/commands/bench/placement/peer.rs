//! SkyPilot's optimizer on the same rows: one accelerator of a model, anywhere, for an hour. Start-up, fees and terms of billing, of
//! which it knows nothing, are taken out of the offers on both sides. It takes the cheapest machine type of each cloud and the
//! cheapest of those; we rank all offers and keep twenty, which is more.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context;
use domain::{Billing, Firmness, Gpu, Millis, Offer, Usd, UsdPerHour};
use policy::index::Index;
use policy::placement::RANKED_MAX;
use serde::{Deserialize, Serialize};

use super::measure::{Source, decide, per_s, percentiles};
use super::questions::{Question, plain};
use crate::failure::{Done, Exit, Failure};

const SCRIPT: &str = include_str!("peer.py");
/// It is not asked beyond so many, since it would take minutes.
pub(super) const OFFERS_MAX: u64 = 10_000;
const THEIR_DECISIONS: usize = 40;
const OUR_DECISIONS: usize = 20_000;
const MODELS_MAX: usize = 6;
/// Clouds that it can price from a file alone.
const CLOUDS: [&str; 12] = [
    "lambda",
    "runpod",
    "vast",
    "cudo",
    "fluidstack",
    "paperspace",
    "hyperbolic",
    "primeintellect",
    "nebius",
    "do",
    "seeweb",
    "shadeform",
];

/// Both, side by side.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Beside {
    pub(super) peer: String,
    pub(super) peer_decisions_per_s: f64,
    pub(super) peer_p50_us: f64,
    pub(super) peer_p99_us: f64,
    pub(super) peer_rss_mib: f64,
    /// Ours, of the same jobs.
    pub(super) decisions_per_s: f64,
    pub(super) p50_us: f64,
    pub(super) p99_us: f64,
    /// How many times as many decisions a second.
    pub(super) ratio: f64,
    /// Cheapest prices, on which both agree.
    pub(super) answers: Vec<(String, UsdPerHour)>,
}

#[derive(Deserialize)]
struct Answer {
    model: String,
    price_usd_hour: f64,
}

#[derive(Deserialize)]
struct Answers {
    version: String,
    answers: Vec<Answer>,
    seconds: Vec<f64>,
    memory_mib: f64,
}

pub(super) fn beside(python: &Path, offers: u64, source: Source<'_>) -> Done<Beside> {
    let home = tempfile::tempdir().context("make a folder for the peer")?;
    let mut index = Index::default();
    let mut rows: Vec<Offer> = Vec::new();
    for n in 0..offers {
        let offer = Offer {
            startup: Millis::ZERO,
            fee: Usd::ZERO,
            billing: Billing::Metered { minimum: Millis::ZERO },
            firmness: Firmness::Firm,
            ..source(n, 0)?
        };
        index.upsert(&offer);
        rows.push(offer);
    }
    let models = models(&rows);
    write_catalogue(home.path(), &rows, &models)?;
    drop(rows);
    let theirs = ask(python, home.path(), &models)?;
    let questions: Vec<Question> = models.iter().map(|model| plain(model)).collect::<Done<_>>()?;
    let answers = agree(&index, &questions, &models, &theirs.answers)?;
    let mut ours = Vec::new();
    let started = Instant::now();
    for n in 0..OUR_DECISIONS {
        ours.push(decide(&index, &questions[n % questions.len()]));
    }
    let decisions_per_s = per_s(ours.len(), started.elapsed());
    let (p50_us, p99_us) = percentiles(&mut ours);
    let mut seconds: Vec<Duration> = theirs.seconds.iter().map(|s| Duration::from_secs_f64(*s)).collect();
    let peer_decisions_per_s = per_s(seconds.len(), seconds.iter().sum());
    let (peer_p50_us, peer_p99_us) = percentiles(&mut seconds);
    Ok(Beside {
        peer: format!("skypilot {}", theirs.version),
        peer_decisions_per_s,
        peer_p50_us,
        peer_p99_us,
        peer_rss_mib: theirs.memory_mib,
        decisions_per_s,
        p50_us,
        p99_us,
        ratio: decisions_per_s / peer_decisions_per_s,
        answers,
    })
}

/// Models of which the cheapest machine has one of them: it takes `H100:1` for exactly one, we for at least one.
fn models(offers: &[Offer]) -> Vec<&'static str> {
    let mut cheapest: BTreeMap<&'static str, (UsdPerHour, u32)> = BTreeMap::new();
    for offer in offers {
        let Some(accelerators) = &offer.hardware.accelerators else { continue };
        let Some(gpu) = Gpu::parse(&accelerators.model) else { continue };
        let one = (offer.price, accelerators.count);
        let least = cheapest.entry(gpu.model().name()).or_insert(one);
        *least = one.min(*least);
    }
    let single = cheapest.into_iter().filter(|(_, (_, count))| *count == 1);
    single.map(|(model, _)| model).take(MODELS_MAX).collect()
}

/// The cheapest price of each model, when both found the same.
fn agree(
    index: &Index,
    questions: &[Question],
    models: &[&str],
    theirs: &[Answer],
) -> Done<Vec<(String, UsdPerHour)>> {
    let mut agreed = Vec::new();
    for ((question, model), their) in questions.iter().zip(models).zip(theirs) {
        let best = index.best(&question.situation(), RANKED_MAX);
        let ours = best.first().map_or(UsdPerHour::default(), |hit| hit.price);
        if their.model != *model || format!("{:.6}", their.price_usd_hour).parse() != Ok(ours) {
            let what =
                format!("{model}: ${ours}/h is our cheapest, ${}/h is SkyPilot's", their.price_usd_hour);
            return Err(Failure::new(Exit::Failed, "bench_differs", what));
        }
        agreed.push(((*model).to_owned(), ours));
    }
    Ok(agreed)
}

fn ask(python: &Path, home: &Path, models: &[&str]) -> Done<Answers> {
    let script = home.join("peer.py");
    std::fs::write(&script, SCRIPT).context("write the peer's script")?;
    let failed = |why: String| {
        Failure::new(Exit::Failed, "bench_peer", format!("SkyPilot gave no answer by {}", python.display()))
            .why(why)
            .next("python3 -m venv sky && sky/bin/pip install skypilot==0.11.1 greenlet, and --peer sky/bin/python")
    };
    let output = Command::new(python)
        .arg(&script)
        .args([&THEIR_DECISIONS.to_string(), &CLOUDS.join(","), &models.join(",")])
        .env("HOME", home)
        .env("SKYPILOT_DISABLE_USAGE_COLLECTION", "1")
        .current_dir(home)
        .output()
        .map_err(|error| failed(error.to_string()))?;
    let said = String::from_utf8_lossy(&output.stdout);
    let last = said.lines().last().unwrap_or_default();
    serde_json::from_str(last).map_err(|_| {
        let errors = String::from_utf8_lossy(&output.stderr);
        failed(errors.lines().last().unwrap_or("it ended without a word").to_owned())
    })
}

/// The files that it reads: one per cloud, and two about all of them. An empty column for zones would hide every row.
fn write_catalogue(home: &Path, offers: &[Offer], models: &[&str]) -> Done {
    let folder = home.join(".sky/catalogs/v8");
    let mut files: BTreeMap<&str, Vec<String>> = CLOUDS.iter().map(|cloud| (*cloud, Vec::new())).collect();
    let mut networks: BTreeMap<String, usize> = BTreeMap::new();
    for offer in offers {
        let Some(accelerators) = &offer.hardware.accelerators else { continue };
        let Some(gpu) = Gpu::parse(&accelerators.model) else { continue };
        let known = networks.len();
        let cloud = *networks.entry(offer.id.network.to_string()).or_insert(known) % CLOUDS.len();
        let (model, count) = (gpu.model().name(), accelerators.count);
        let (cpus, memory) = (offer.hardware.cpus_milli / 1_000, offer.hardware.memory_mib / 1_024);
        let region = offer.region.as_ref().map_or("unknown", |region| region.as_str());
        let about = format!(
            "{{'Gpus': [{{'Name': '{model}', 'Manufacturer': 'any', 'Count': {count}.0, 'MemoryInfo': {{'SizeInMiB': 16384}}}}], 'TotalGpuMemoryInMiB': 16384}}"
        );
        let machine = format!("{}-{}", offer.id.network, offer.id.reference).replace([',', '"', '/'], "_");
        let row = format!("{machine},{model},{count},{cpus},{memory},{},{region},\"{about}\",", offer.price);
        files.entry(CLOUDS[cloud]).or_default().push(row);
    }
    let header =
        "InstanceType,AcceleratorName,AcceleratorCount,vCPUs,MemoryGiB,Price,Region,GpuInfo,SpotPrice";
    for (cloud, rows) in &files {
        write(&folder.join(cloud).join("vms.csv"), header, rows)?;
    }
    let clouds = CLOUDS.map(|cloud| format!("'{cloud}'")).join(", ");
    let names: Vec<String> = models.iter().map(|model| format!("{model},\"[{clouds}]\"")).collect();
    write(&folder.join("common/accelerators.csv"), "AcceleratorName,Clouds", &names)?;
    write(&folder.join("common/metadata.csv"), "", &[])
}

fn write(path: &Path, header: &str, rows: &[String]) -> Done {
    let folder = path.parent().context("find the folder of a catalogue")?;
    std::fs::create_dir_all(folder).context("make a folder for the peer")?;
    let mut file = std::fs::File::create(path).context("write the peer's catalogue")?;
    file.write_all(format!("{header}\n{}\n", rows.join("\n")).as_bytes())
        .context("write the peer's catalogue")?;
    Ok(())
}
