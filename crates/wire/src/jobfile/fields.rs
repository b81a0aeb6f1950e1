//! From the tree to a job spec.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    Accelerators, Budget, FailoverRule, FileMount, JobSpec, Level, Millis, NetworkName, Region, Requirement,
    Targets, Usd, UsdPerHour, Verify, VerifyMethod,
};

use super::error::{Problem, clean};
use super::read::{Node, Value};
use super::values::{Field, Fields};
use super::{DEFAULT_MAX_TOTAL, JobFile};

const KNOWN: &[&str] =
    &["name", "resources", "envs", "secrets", "workdir", "file_mounts", "setup", "run", "num_nodes", "waag"];
const LATER: &[&str] = &[
    "volumes",
    "volume_mounts",
    "managed_secrets",
    "service",
    "pool",
    "inputs",
    "outputs",
    "config",
    "event_callback",
    "api_server_access",
];
const RESOURCES: &[&str] =
    &["cpus", "memory", "accelerators", "disk_size", "infra", "region", "max_hourly_cost"];
const RESOURCES_LATER: &[&str] = &[
    "cloud",
    "zone",
    "instance_type",
    "use_spot",
    "disk_tier",
    "ephemeral_storage",
    "local_disk",
    "network_tier",
    "ports",
    "image_id",
    "labels",
    "autostop",
    "hooks",
    "job_recovery",
    "priority",
    "priority_class",
    "volumes",
    "accelerator_args",
    "any_of",
    "ordered",
];
const WAAG: &[&str] = &[
    "level",
    "budget",
    "deadline",
    "regions",
    "checkpoint",
    "outputs",
    "value_at_risk_usd",
    "network",
    "verify",
    "failover",
];
const TEXT_BYTES_MAX: usize = 256 * 1024;
const ENTRIES_MAX: usize = 1000;
const CPUS_MILLI_MAX: u64 = 1024 * 1000;
const MEMORY_MIB_MAX: u64 = 64 * 1024 * 1024;
const DISK_MIB_MAX: u64 = 1024 * 1024 * 1024;
const ACCELERATORS_MAX: u32 = 1024;
const DEFAULT_DEADLINE: Millis = Millis::HOUR.times(2);
const DEFAULT_VERIFY: Verify = Verify { method: VerifyMethod::Replay, segments: 32, sample: 8 };
const DEFAULT_ATTEMPTS: u32 = 3;

pub(super) fn job_file(root: &Node) -> Result<JobFile, Problem> {
    let root = Field { path: String::new(), node: root };
    let top = root.fields()?;
    top.only(KNOWN, LATER)?;
    if let Some(nodes) = top.get("num_nodes")
        && nodes.count(1, u32::MAX)? != 1
    {
        return Err(
            nodes.problem("more than one node is not supported yet", "write num_nodes: 1, or remove it")
        );
    }
    let (resources, infra, place, hourly_cost) = resources(&top)?;
    let secrets = secrets(&top)?;
    let envs = envs(&top, &secrets)?;
    let waag = Waag::read(&top, place, hourly_cost)?;
    let run = top.need("run", "write the command that is the job, for example `run: python train.py`")?;
    let spec = JobSpec {
        name: top
            .need("name", "give the job a name, for example `name: train`")?
            .parsed("for example digits-train")?,
        resources,
        infra,
        max_hourly: waag.max_hourly,
        envs,
        secrets: secrets.keys().cloned().collect(),
        workdir: top.get("workdir").map(|f| local_path(&f)).transpose()?,
        file_mounts: file_mounts(&top)?,
        setup: top.get("setup").map(|f| script(&f)).transpose()?,
        run: script(&run)?,
        level: waag.level,
        budget: Budget { max_total: waag.max_total },
        deadline: waag.deadline,
        regions: waag.regions,
        checkpoint_path: waag.checkpoint_path,
        outputs_path: waag.outputs_path,
        value_at_risk: waag.value_at_risk,
        network: waag.network,
        verify: waag.verify,
        failover: waag.failover,
    };
    spec.check()
        .map_err(|error| root.problem(format!("{}: {}", error.field, error.problem), "mend the field"))?;
    Ok(JobFile { spec, secrets })
}

type Resources<'a> = (Requirement, Targets, Option<(Region, Field<'a>)>, Option<UsdPerHour>);

fn resources<'a>(top: &Fields<'a>) -> Result<Resources<'a>, Problem> {
    let Some(field) = top.get("resources") else {
        return Ok((Requirement::default(), Targets::Any, None, None));
    };
    let fields = field.fields()?;
    fields.only(RESOURCES, RESOURCES_LATER)?;
    let cpus = |f: Field<'_>| {
        f.need(1000, CPUS_MILLI_MAX, "write cores, for example 4, 0.5, or 4+ for at least four")
    };
    let memory =
        |f: Field<'_>| f.need(1024, MEMORY_MIB_MAX, "write GiB, for example 16, or 16+ for at least sixteen");
    let disk =
        |f: Field<'_>| f.need(1024, DISK_MIB_MAX, "write GiB, for example 100").map(domain::Need::least);
    let requirement = Requirement {
        cpus_milli: fields.get("cpus").map(cpus).transpose()?,
        memory_mib: fields.get("memory").map(memory).transpose()?,
        disk_mib: fields.get("disk_size").map(disk).transpose()?,
        accelerators: fields.get("accelerators").map(|f| accelerators(&f)).transpose()?,
    };
    let (infra, infra_region) = match fields.get("infra") {
        Some(field) => infra(&field)?,
        None => (Targets::Any, None),
    };
    let region = match fields.get("region") {
        Some(field) if infra_region.is_some() => {
            return Err(field.problem("`infra` names a region already", "name the region in one place"));
        }
        Some(field) => Some((field.parsed::<Region>("for example EU or US-CA")?, field)),
        None => infra_region,
    };
    let hourly = match fields.get("max_hourly_cost") {
        Some(field) => Some(price(&field)?),
        None => None,
    };
    Ok((requirement, infra, region, hourly))
}

fn price(field: &Field<'_>) -> Result<UsdPerHour, Problem> {
    let amount = field.money()?;
    if amount == Usd::ZERO {
        return Err(field
            .problem("a price cap of nothing admits no offer", "write dollars per hour, for example 2.50"));
    }
    Ok(UsdPerHour::new(amount))
}

/// `network`, `network/region`, with `*` for any.
fn infra<'a>(field: &Field<'a>) -> Result<(Targets, Option<(Region, Field<'a>)>), Problem> {
    let mut parts = field.text()?.split('/');
    let targets = match parts.next() {
        None | Some("" | "*") => Targets::Any,
        Some(name) => Targets::Only(BTreeSet::from([network(field, name)?])),
    };
    let region = match parts.next() {
        None | Some("" | "*") => None,
        Some(text) => {
            let region =
                text.parse().map_err(|e| field.problem(format!("{e}"), "for example sim-cloud/EU"))?;
            Some((region, field.clone()))
        }
    };
    if parts.any(|zone| !matches!(zone, "" | "*")) {
        return Err(field.problem(
            "a zone in `infra` is not supported yet",
            "name network and region, for example aws/US",
        ));
    }
    Ok((targets, region))
}

fn network(field: &Field<'_>, text: &str) -> Result<NetworkName, Problem> {
    text.parse().map_err(|e| {
        field.problem(format!("{e}"), "for example sim-cloud or akash; `waag offers` lists them")
    })
}

/// `H100:8`, `H100`, or a mapping of one model to its count.
fn accelerators(field: &Field<'_>) -> Result<Accelerators, Problem> {
    let help = "write for example H100:8";
    let (model, count) = match &field.node.value {
        Value::Map(entries) if entries.len() == 1 => {
            let fields = field.fields()?;
            let entry = fields.entries().next();
            let (key, _, value) = entry.ok_or_else(|| field.problem("no accelerator is named", help))?;
            (key, value.count(1, ACCELERATORS_MAX)?)
        }
        Value::Map(_) => return Err(field.problem("a choice of accelerators is not supported yet", help)),
        _ => match field.text()?.split_once(':') {
            None => (field.text()?, 1),
            Some((model, count)) => match count.parse::<u32>() {
                Ok(n) if (1..=ACCELERATORS_MAX).contains(&n) => (model, n),
                _ => {
                    let what = format!("`{}` is not a number of accelerators", clean(count, 40));
                    return Err(field.problem(what, help));
                }
            },
        },
    };
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if model.is_empty() || model.len() > 60 || !model.chars().all(fits) {
        return Err(field.problem(format!("`{}` is not an accelerator model", clean(model, 40)), help));
    }
    Ok(Accelerators { model: model.to_owned(), count })
}

fn variable_name(field: &Field<'_>, name: &str) -> Result<(), Problem> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    if name.is_empty() || name.len() > 200 || !name.bytes().all(fits) || name.as_bytes()[0].is_ascii_digit() {
        let what = format!("`{}` cannot be the name of a variable", clean(name, 60));
        return Err(field.problem(what, "use letters, digits and `_`, and no digit first"));
    }
    if name.starts_with("WAAG_") {
        return Err(field.problem("names beginning with WAAG_ are set by Waag itself", "choose another name"));
    }
    Ok(())
}

fn bounded<'a>(field: &Field<'_>, text: &'a str) -> Result<&'a str, Problem> {
    if text.len() > TEXT_BYTES_MAX {
        let what = format!("the text has {} bytes, and at most {TEXT_BYTES_MAX} are taken", text.len());
        return Err(field.problem(what, "put it into a file under `workdir`"));
    }
    if text.contains('\0') {
        return Err(field.problem("the text contains a zero byte", "remove it"));
    }
    Ok(text)
}

fn script(field: &Field<'_>) -> Result<String, Problem> {
    let text = bounded(field, field.text()?)?;
    if text.trim().is_empty() {
        return Err(field.problem("there is nothing to run", "write a shell command, or remove the field"));
    }
    Ok(text.to_owned())
}

fn secrets(top: &Fields<'_>) -> Result<BTreeMap<String, Option<String>>, Problem> {
    let mut out = BTreeMap::new();
    let Some(field) = top.get("secrets") else { return Ok(out) };
    for (name, _, value) in field.fields()?.entries() {
        variable_name(&value, name)?;
        let text = if value.is_null() { None } else { Some(bounded(&value, value.text()?)?.to_owned()) };
        out.insert(name.to_owned(), text);
    }
    too_many(&field, out.len())?;
    Ok(out)
}

fn envs(
    top: &Fields<'_>,
    secrets: &BTreeMap<String, Option<String>>,
) -> Result<BTreeMap<String, String>, Problem> {
    let mut out = BTreeMap::new();
    let Some(field) = top.get("envs") else { return Ok(out) };
    for (name, _, value) in field.fields()?.entries() {
        variable_name(&value, name)?;
        if secrets.contains_key(name) {
            return Err(value.problem(format!("`{name}` is both in envs and in secrets"), "keep one of them"));
        }
        if value.is_null() {
            return Err(value.problem(format!("`{name}` has no value"), "write \"\" for an empty text"));
        }
        out.insert(name.to_owned(), bounded(&value, value.text()?)?.to_owned());
    }
    too_many(&field, out.len())?;
    Ok(out)
}

fn too_many(field: &Field<'_>, n: usize) -> Result<(), Problem> {
    if n > ENTRIES_MAX {
        return Err(field
            .problem(format!("{n} entries, and at most {ENTRIES_MAX} are taken"), "put them into a file"));
    }
    Ok(())
}

fn local_path(field: &Field<'_>) -> Result<String, Problem> {
    if let Value::Map(_) = field.node.value {
        return Err(
            field.problem("a git work folder is not supported yet", "name a local folder, for example ./src")
        );
    }
    let text = bounded(field, field.text()?)?;
    if text.contains("://") {
        return Err(field.problem("remote sources are not supported yet", "name a local file or folder"));
    }
    Ok(text.to_owned())
}

fn file_mounts(top: &Fields<'_>) -> Result<Vec<FileMount>, Problem> {
    let Some(field) = top.get("file_mounts") else { return Ok(Vec::new()) };
    let mut out = Vec::new();
    for (inside, _, source) in field.fields()?.entries() {
        if let Value::Map(_) = source.node.value {
            return Err(source.problem("storage mounts are not supported yet", "name a local file or folder"));
        }
        let inside = inside_path(&source, inside)?;
        out.push(FileMount { inside, source: local_path(&source)? });
    }
    out.sort_by(|a, b| a.inside.cmp(&b.inside));
    too_many(&field, out.len())?;
    Ok(out)
}

/// An absolute path that hides nothing the workload needs.
fn inside_path(field: &Field<'_>, text: &str) -> Result<String, Problem> {
    const TAKEN: &[&str] =
        &["bin", "boot", "dev", "etc", "lib", "lib64", "proc", "sbin", "sys", "usr", "workdir"];
    let help = "write an absolute path of your own, for example /data";
    let bad = |what: &str| Err(field.problem(format!("`{}`: {what}", clean(text, 60)), help));
    let Some(rest) = text.strip_prefix('/') else { return bad("a path inside the job begins with /") };
    if text.len() > 1000 || text.chars().any(char::is_control) {
        return bad("the path is too long or has control characters");
    }
    if rest.is_empty() || rest.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return bad("the path has empty parts, `.` or `..`");
    }
    match rest.split('/').next() {
        Some(first) if TAKEN.contains(&first) => bad("this folder belongs to the system or to Waag"),
        _ => Ok(text.to_owned()),
    }
}

struct Waag {
    level: Level,
    max_total: Usd,
    max_hourly: Option<UsdPerHour>,
    deadline: Millis,
    regions: BTreeSet<Region>,
    checkpoint_path: Option<String>,
    outputs_path: Option<String>,
    value_at_risk: Usd,
    network: bool,
    verify: Verify,
    failover: FailoverRule,
}

impl Waag {
    fn read(
        top: &Fields<'_>,
        place: Option<(Region, Field<'_>)>,
        hourly_cost: Option<UsdPerHour>,
    ) -> Result<Self, Problem> {
        let mut waag = Self {
            level: Level::Standard,
            max_total: DEFAULT_MAX_TOTAL,
            max_hourly: hourly_cost,
            deadline: DEFAULT_DEADLINE,
            regions: place.iter().map(|(region, _)| region.clone()).collect(),
            checkpoint_path: None,
            outputs_path: None,
            value_at_risk: Usd::ZERO,
            network: false,
            verify: DEFAULT_VERIFY,
            failover: FailoverRule { attempts: DEFAULT_ATTEMPTS, to: Targets::Any },
        };
        let Some(field) = top.get("waag") else { return Ok(waag) };
        let fields = field.fields()?;
        fields.only(WAAG, &[])?;
        waag.money(&fields)?;
        waag.places(&fields, place)?;
        if let Some(field) = fields.get("level") {
            waag.level = field.parsed("write standard, high or critical")?;
        }
        if let Some(field) = fields.get("deadline") {
            waag.deadline = field.parsed("write a length of time, for example 2h or 90m")?;
            if waag.deadline == Millis::ZERO || waag.deadline > Millis::HOUR.times(24 * 365) {
                return Err(
                    field.problem("a deadline is more than nothing and at most 365 days", "for example 2h")
                );
            }
        }
        if let Some(field) = fields.get("network") {
            waag.network = field.flag()?;
        }
        if let Some(field) = fields.get("verify") {
            waag.verify = verify(&field.fields()?)?;
        }
        if let Some(field) = fields.get("failover") {
            waag.failover = failover(&field.fields()?)?;
        }
        Ok(waag)
    }

    fn money(&mut self, fields: &Fields<'_>) -> Result<(), Problem> {
        if let Some(field) = fields.get("value_at_risk_usd") {
            self.value_at_risk = field.money()?;
        }
        let Some(field) = fields.get("budget") else { return Ok(()) };
        let budget = field.fields()?;
        budget.only(&["max_total_usd", "max_hourly_usd"], &[])?;
        if let Some(field) = budget.get("max_total_usd") {
            self.max_total = field.money()?;
            if self.max_total == Usd::ZERO {
                return Err(
                    field.problem("a budget of nothing runs nothing", "write dollars, for example 2.00")
                );
            }
        }
        if let Some(field) = budget.get("max_hourly_usd") {
            let cap = price(&field)?;
            self.max_hourly = Some(self.max_hourly.map_or(cap, |other| other.min(cap)));
        }
        Ok(())
    }

    fn places(&mut self, fields: &Fields<'_>, place: Option<(Region, Field<'_>)>) -> Result<(), Problem> {
        if let Some(field) = fields.get("regions") {
            if let Some((_, other)) = place {
                return Err(field.problem(
                    format!("`{}` names a region already", other.path),
                    "name regions in one place",
                ));
            }
            for item in field.items()? {
                self.regions.insert(item.parsed("for example EU, EU-DE or US")?);
            }
        }
        for (key, slot) in [("checkpoint", &mut self.checkpoint_path), ("outputs", &mut self.outputs_path)] {
            let Some(field) = fields.get(key) else { continue };
            let block = field.fields()?;
            block.only(&["path"], &[])?;
            let path = block.need("path", "write for example `path: /outputs`")?;
            *slot = Some(inside_path(&path, path.text()?)?);
        }
        if let (Some(a), Some(b)) = (&self.checkpoint_path, &self.outputs_path)
            && (a == b || a.starts_with(&format!("{b}/")) || b.starts_with(&format!("{a}/")))
            && let Some(field) = fields.get("outputs")
        {
            return Err(
                field.problem("checkpoint and outputs lie in one another", "give them separate paths")
            );
        }
        Ok(())
    }
}

fn verify(fields: &Fields<'_>) -> Result<Verify, Problem> {
    fields.only(&["method", "segments", "sample"], &[])?;
    let mut verify = DEFAULT_VERIFY;
    if let Some(field) = fields.get("method") {
        verify.method = match field.text()? {
            "replay" => VerifyMethod::Replay,
            "none" => VerifyMethod::None,
            other => {
                let what = format!("`{}` is not a way to verify", clean(other, 40));
                return Err(field.problem(what, "write replay or none"));
            }
        };
    }
    if let Some(field) = fields.get("segments") {
        verify.segments = field.count(1, 65_536)?;
        verify.sample = verify.sample.min(verify.segments);
    }
    if let Some(field) = fields.get("sample") {
        verify.sample = field.count(0, 65_536)?;
        if verify.sample > verify.segments {
            let what = format!("{} segments cannot be drawn from {}", verify.sample, verify.segments);
            return Err(field.problem(what, "draw at most as many segments as there are"));
        }
    }
    Ok(verify)
}

fn failover(fields: &Fields<'_>) -> Result<FailoverRule, Problem> {
    fields.only(&["attempts", "to"], &[])?;
    let mut rule = FailoverRule { attempts: DEFAULT_ATTEMPTS, to: Targets::Any };
    if let Some(field) = fields.get("attempts") {
        rule.attempts = field.count(0, 20)?;
    }
    if let Some(field) = fields.get("to") {
        let items = field.items()?;
        let mut names = BTreeSet::new();
        let mut any = false;
        for item in &items {
            match item.text()? {
                "any" => any = true,
                name => {
                    names.insert(network(item, name)?);
                }
            }
        }
        rule.to = match (any, names.is_empty()) {
            (true, true) => Targets::Any,
            (false, false) => Targets::Only(names),
            (true, false) => {
                return Err(field.problem("`any` stands beside names", "write [any], or names alone"));
            }
            (false, true) => {
                return Err(field.problem("no network is named", "write [any], or names of networks"));
            }
        };
    }
    Ok(rule)
}
