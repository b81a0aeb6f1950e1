//! `waag:`, what no SkyPilot file says: level, money, time, place, proof and failover.

use std::collections::BTreeSet;

use domain::{
    FailoverRule, Level, Millis, Region, Targets, Timestamp, Usd, UsdPerHour, Verify, VerifyMethod, Window,
    WorkClass,
};

use super::error::{Problem, Problems, clean};
use super::resources::{REGION_HELP, Resources, network};
use super::values::{Field, Fields, scaled};
use super::work::{inside_path, overlap};
use super::{DEFAULT_ATTEMPTS, DEFAULT_DEADLINE, DEFAULT_MAX_TOTAL, DEFAULT_VERIFY};

const DEADLINE_MAX: Millis = Millis::HOUR.times(24 * 365);
const SEGMENTS_MAX: u32 = 65_536;
const ATTEMPTS_MAX: u32 = 20;
const LEVEL_HELP: &str = "write standard, high or critical";
const DEADLINE_HELP: &str =
    "write a length of time with its unit, at most 365 days, for example 90s, 30m or 2h";
const MOMENT_HELP: &str = "write a time in UTC, for example 2026-12-01T08:00:00Z";
const TOTAL_HELP: &str = "write dollars, for example 2.00";
const HOURLY_HELP: &str = "write dollars per hour, for example 2.50";
const AVAILABILITY_HELP: &str = "write a chance below 1, for example 0.95";
const CLASS_HELP: &str = "write inference, training, batch, preprocessing or rendering";
const RISK_HELP: &str = "write dollars, or 0 for the price of the job";
const METHOD_HELP: &str = "write replay or none";
const TO_HELP: &str = "write [any], or the names of networks";
const PATH_HELP: &str = "write `path:` and an absolute path, for example `path: /outputs`";
const ANYWHERE: &str = "any";

/// A path inside the job and the field that names it.
type InsidePath<'a> = Option<(String, Field<'a>)>;

/// The block, with the default of each field that is not there.
#[derive(Debug)]
pub(super) struct Waag<'a> {
    pub(super) level: Level,
    pub(super) max_total: Usd,
    pub(super) max_hourly: Option<UsdPerHour>,
    pub(super) deadline: Millis,
    pub(super) expected_run: Option<Millis>,
    pub(super) window: Window,
    pub(super) regions: BTreeSet<Region>,
    pub(super) checkpoint: InsidePath<'a>,
    pub(super) outputs: InsidePath<'a>,
    pub(super) value_at_risk: Usd,
    pub(super) network: bool,
    pub(super) verify: Verify,
    pub(super) failover: FailoverRule,
    pub(super) availability_bps: u32,
    pub(super) class: Option<WorkClass>,
}

impl<'a> Waag<'a> {
    pub(super) fn read(top: &Fields<'a>, resources: &Resources, problems: &mut Problems) -> Self {
        let mut waag = Self {
            level: Level::Standard,
            max_total: DEFAULT_MAX_TOTAL,
            max_hourly: resources.max_hourly,
            deadline: DEFAULT_DEADLINE,
            expected_run: None,
            window: Window::default(),
            regions: resources.region.iter().map(|(region, _)| region.clone()).collect(),
            checkpoint: None,
            outputs: None,
            value_at_risk: Usd::ZERO,
            network: false,
            verify: DEFAULT_VERIFY,
            failover: FailoverRule { attempts: DEFAULT_ATTEMPTS, to: Targets::Any },
            availability_bps: 0,
            class: None,
        };
        let Some(fields) = top.block("waag", problems) else { return waag };
        waag.level = fields.read("level", problems, |f| f.parsed(LEVEL_HELP)).unwrap_or(waag.level);
        waag.deadline = fields.read("deadline", problems, deadline).unwrap_or(waag.deadline);
        waag.expected_run = fields.read("expected_run", problems, expected_run);
        waag.window = window(&fields, problems);
        waag.network = fields.read("network", problems, Field::flag).unwrap_or(waag.network);
        waag.money(&fields, problems);
        waag.availability_bps = fields.read("availability", problems, availability).unwrap_or_default();
        waag.class = fields.read("class", problems, class);
        if let Some(regions) = fields.read("regions", problems, |field| regions(field, resources)) {
            waag.regions = regions;
        }
        waag.checkpoint = path(&fields, "checkpoint", problems);
        waag.outputs = path(&fields, "outputs", problems);
        if let (Some((a, _)), Some((b, field))) = (&waag.checkpoint, &waag.outputs)
            && overlap(a, b)
        {
            problems
                .add(field.problem("checkpoint and outputs lie in one another", "give them separate paths"));
        }
        if let Some(fields) = fields.block("verify", problems) {
            waag.verify = verify(&fields, problems);
        }
        if let Some(fields) = fields.block("failover", problems) {
            let attempts = fields.read("attempts", problems, |f| f.count(0, ATTEMPTS_MAX));
            waag.failover.attempts = attempts.unwrap_or(DEFAULT_ATTEMPTS);
            waag.failover.to = fields.read("to", problems, targets).unwrap_or_default();
        }
        waag
    }

    fn money(&mut self, fields: &Fields<'_>, problems: &mut Problems) {
        let risk = fields.read("value_at_risk_usd", problems, |f| f.money(RISK_HELP));
        self.value_at_risk = risk.unwrap_or(Usd::ZERO);
        let Some(budget) = fields.block("budget", problems) else { return };
        let total = budget.read("max_total_usd", problems, |f| f.cap(TOTAL_HELP));
        self.max_total = total.unwrap_or(DEFAULT_MAX_TOTAL);
        let hourly = budget.read("max_hourly_usd", problems, |f| f.cap(HOURLY_HELP)).map(UsdPerHour::new);
        // Both caps hold when both are named.
        self.max_hourly = self.max_hourly.into_iter().chain(hourly).min();
    }
}

fn deadline(field: &Field<'_>) -> Result<Millis, Problem> {
    span(field, "a deadline is more than nothing", "a deadline is at most 365 days away")
}

fn expected_run(field: &Field<'_>) -> Result<Millis, Problem> {
    span(field, "a run takes more than no time", "a run takes at most 365 days")
}

fn span(field: &Field<'_>, none: &str, too_long: &str) -> Result<Millis, Problem> {
    match field.parsed(DEADLINE_HELP)? {
        Millis::ZERO => Err(field.problem(none, DEADLINE_HELP)),
        span if span > DEADLINE_MAX => Err(field.problem(too_long, DEADLINE_HELP)),
        span => Ok(span),
    }
}

fn window(fields: &Fields<'_>, problems: &mut Problems) -> Window {
    let Some(block) = fields.block("window", problems) else { return Window::default() };
    let start_after = block.read("start_after", problems, moment);
    let finish_by = block.read("finish_by", problems, |field| {
        let by = moment(field)?;
        if start_after.is_some_and(|after| by <= after) {
            return Err(field.problem("a window closes after it opens", "write a time after `start_after`"));
        }
        Ok(by)
    });
    Window { start_after, finish_by }
}

/// A time in UTC, with or without milliseconds.
fn moment(field: &Field<'_>) -> Result<Timestamp, Problem> {
    let text = field.text(MOMENT_HELP)?;
    let whole = text.strip_suffix('Z').map(|seconds| format!("{seconds}.000Z"));
    let read = text.parse().ok().or_else(|| whole?.parse().ok());
    read.ok_or_else(|| field.problem(format!("`{}` is not a time in UTC", clean(text, 40)), MOMENT_HELP))
}

/// A chance below 1, in ten-thousandths.
fn availability(field: &Field<'_>) -> Result<u32, Problem> {
    let text = field.text(AVAILABILITY_HELP)?;
    let bps = scaled(text, 10_000).and_then(|bps| u32::try_from(bps).ok()).filter(|bps| *bps < 10_000);
    bps.ok_or_else(|| {
        field.problem(format!("`{}` is not a chance from 0 to below 1", clean(text, 40)), AVAILABILITY_HELP)
    })
}

fn class(field: &Field<'_>) -> Result<WorkClass, Problem> {
    let text = field.text(CLASS_HELP)?;
    WorkClass::from_code(text)
        .ok_or_else(|| field.problem(format!("`{}` is not a class of work", clean(text, 40)), CLASS_HELP))
}

/// The regions of a list; none for `any`.
fn regions(field: &Field<'_>, resources: &Resources) -> Result<BTreeSet<Region>, Problem> {
    if let Some((_, other)) = &resources.region {
        return Err(field.problem(format!("`{other}` names a region already"), "name regions in one place"));
    }
    let items = field.items(REGION_HELP)?;
    if let [item] = items.as_slice()
        && item.text(REGION_HELP)? == ANYWHERE
    {
        return Ok(BTreeSet::new());
    }
    items
        .iter()
        .map(|item| match item.text(REGION_HELP)? {
            ANYWHERE => Err(item.problem("`any` stands beside regions", "write [any], or regions alone")),
            _ => item.parsed(REGION_HELP),
        })
        .collect()
}

/// The networks of a list; all for `any`.
fn targets(field: &Field<'_>) -> Result<Targets, Problem> {
    let items = field.items(TO_HELP)?;
    if let [item] = items.as_slice()
        && item.text(TO_HELP)? == ANYWHERE
    {
        return Ok(Targets::Any);
    }
    let name = |item: &Field<'_>| match item.text(TO_HELP)? {
        ANYWHERE => Err(item.problem("`any` stands beside networks", TO_HELP)),
        text => network(item, text),
    };
    items.iter().map(name).collect::<Result<_, _>>().map(Targets::Only)
}

fn path<'a>(fields: &Fields<'a>, key: &str, problems: &mut Problems) -> InsidePath<'a> {
    let block = fields.block(key, problems)?;
    block.need("path", PATH_HELP, problems, |field| {
        let text = field.text(PATH_HELP)?;
        inside_path(text).map_err(|(what, help)| field.problem(what, help))?;
        Ok((text.to_owned(), field.clone()))
    })
}

fn verify(fields: &Fields<'_>, problems: &mut Problems) -> Verify {
    let method = fields.read("method", problems, |field| match field.text(METHOD_HELP)? {
        "replay" => Ok(VerifyMethod::Replay),
        "none" => Ok(VerifyMethod::None),
        other => {
            Err(field.problem(format!("`{}` is not a way to check a result", clean(other, 40)), METHOD_HELP))
        }
    });
    let segments = fields.read("segments", problems, |f| f.count(1, SEGMENTS_MAX));
    let segments = segments.unwrap_or(DEFAULT_VERIFY.segments);
    let sample = fields.read("sample", problems, |field| match field.count(0, SEGMENTS_MAX)? {
        n if n > segments => {
            let help = format!("draw at most {segments}, or raise `segments`");
            Err(field.problem(format!("{n} segments cannot be drawn from {segments}"), help))
        }
        n => Ok(n),
    });
    Verify {
        method: method.unwrap_or_default(),
        segments,
        sample: sample.unwrap_or(DEFAULT_VERIFY.sample.min(segments)),
    }
}
