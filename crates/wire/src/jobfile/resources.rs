//! `resources:`, what SkyPilot says about hardware and place.

use std::collections::BTreeSet;

use domain::{Accelerators, Need, NetworkName, Region, Requirement, Targets, UsdPerHour};

use super::error::{Problem, Problems, clean};
use super::read::Value;
use super::values::{Amount, Field, Fields, whole_number};

const CPUS: Amount = Amount {
    scale: 1000,
    max: 1024 * 1000,
    unit: "cores",
    help: "write cores, for example 4, 0.5, or 4+ for at least four",
};
const MEMORY: Amount = Amount {
    scale: 1024,
    max: 64 * 1024 * 1024,
    unit: "GiB",
    help: "write GiB without a unit, for example 16, or 16+ for at least sixteen",
};
const DISK: Amount = Amount {
    scale: 1024,
    max: 1024 * 1024 * 1024,
    unit: "GiB",
    help: "write GiB without a unit, for example 100",
};
const ACCELERATORS_MAX: u32 = 1024;
const ACCELERATORS_HELP: &str = "write a model and a count, for example H100:8";
const MODEL_BYTES_MAX: usize = 60;
const PRICE_HELP: &str = "write dollars per hour, for example 2.50";
pub(super) const REGION_HELP: &str = "write for example EU, EU-DE or US-CA; `waag offers` lists regions";
const INFRA_HELP: &str = "write a network, or network/region, for example `akash` or `aws/us-east-1`";
/// What SkyPilot reaches by name and we do not.
const INFRA_LATER: &[&str] = &["k8s", "kubernetes", "ssh", "slurm"];

/// What `resources:` says.
#[derive(Debug, Default)]
pub(super) struct Resources {
    pub(super) requirement: Requirement,
    pub(super) use_spot: Option<bool>,
    pub(super) infra: Targets,
    /// The region and the path of the field that names it.
    pub(super) region: Option<(Region, &'static str)>,
    pub(super) max_hourly: Option<UsdPerHour>,
}

impl Resources {
    pub(super) fn read(top: &Fields<'_>, problems: &mut Problems) -> Self {
        let Some(fields) = top.block("resources", problems) else { return Self::default() };
        let requirement = Requirement {
            cpus_milli: fields.read("cpus", problems, |f| f.amount(&CPUS)),
            memory_mib: fields.read("memory", problems, |f| f.amount(&MEMORY)),
            disk_mib: fields.read("disk_size", problems, |f| f.amount(&DISK)).map(Need::least),
            accelerators: fields.read("accelerators", problems, accelerators),
        };
        let (infra, infra_region) = fields.read("infra", problems, infra).unwrap_or_default();
        let region = fields.read("region", problems, |field| {
            let region = field.parsed::<Region>(REGION_HELP)?;
            match &infra_region {
                Some(_) => {
                    Err(field.problem("`infra` names a region already", "name the region in one place"))
                }
                None => Ok(region),
            }
        });
        Self {
            requirement,
            use_spot: fields.read("use_spot", problems, Field::flag),
            infra,
            region: region
                .map(|region| (region, "resources.region"))
                .or(infra_region.map(|region| (region, "resources.infra"))),
            max_hourly: fields.read("max_hourly_cost", problems, |f| f.cap(PRICE_HELP)).map(UsdPerHour::new),
        }
    }
}

/// `network`, `network/region` or `network/region/zone`, with `*` for any.
fn infra(field: &Field<'_>) -> Result<(Targets, Option<Region>), Problem> {
    let parts: Vec<&str> = field.text(INFRA_HELP)?.split('/').collect();
    let any = |part: &&&str| **part != "*";
    if parts.contains(&"") || parts.len() > 3 {
        return Err(field.problem("this is not network/region/zone", INFRA_HELP));
    }
    if INFRA_LATER.contains(&parts[0]) {
        return Err(field.problem(format!("`{}` is not supported yet", parts[0]), INFRA_HELP));
    }
    if parts.get(2).filter(any).is_some() {
        return Err(field.problem("a zone in `infra` is not supported yet", "name network and region only"));
    }
    let targets = match parts.first().filter(any) {
        Some(name) => Targets::Only(BTreeSet::from([network(field, name)?])),
        None => Targets::Any,
    };
    let region = match parts.get(1).filter(any) {
        Some(text) => Some(text.parse().map_err(|error| field.problem(format!("{error}"), INFRA_HELP))?),
        None => None,
    };
    Ok((targets, region))
}

/// A network's name; `any` is none, since it stands for all of them in `failover`.
pub(super) fn network(field: &Field<'_>, text: &str) -> Result<NetworkName, Problem> {
    let help = "write the name of a network in lower case, for example akash; `waag offers` lists them";
    match text {
        "any" => {
            Err(field
                .problem("`any` is not the name of one network", "remove the field to allow every network"))
        }
        _ => text.parse().map_err(|error| field.problem(format!("{error}"), help)),
    }
}

/// `H100:8`, `H100`, or a mapping of one model to its count.
fn accelerators(field: &Field<'_>) -> Result<Accelerators, Problem> {
    let choice = || field.problem("a choice of accelerators is not supported yet", ACCELERATORS_HELP);
    let (model, count) = match &field.node.value {
        Value::Map(_) => {
            let fields = field.fields()?;
            let mut entries = fields.entries();
            match (entries.next(), entries.next()) {
                (Some((model, _, count)), None) => (model, count.count(1, ACCELERATORS_MAX)?),
                _ => return Err(choice()),
            }
        }
        Value::List(_) => return Err(choice()),
        Value::Scalar { .. } => match field.text(ACCELERATORS_HELP)?.split_once(':') {
            None => (field.text(ACCELERATORS_HELP)?, 1),
            Some((model, count)) => match whole_number(count) {
                Some(n) if (1..=ACCELERATORS_MAX).contains(&n) => (model, n),
                _ => {
                    let what =
                        format!("`{}` is not a whole number from 1 to {ACCELERATORS_MAX}", clean(count, 40));
                    return Err(field.problem(what, ACCELERATORS_HELP));
                }
            },
        },
    };
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if model.is_empty() || model.len() > MODEL_BYTES_MAX || !model.chars().all(fits) {
        let what = format!("`{}` is not a model of accelerators", clean(model, 40));
        return Err(field.problem(what, ACCELERATORS_HELP));
    }
    Ok(Accelerators { model: model.to_owned(), count })
}
