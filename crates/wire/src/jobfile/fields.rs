//! From the tree to a job spec.

use domain::{Budget, JobName, JobSpec, SpecError};

use super::JobFile;
use super::error::{Problem, Problems};
use super::read::Node;
use super::resources::Resources;
use super::values::{Field, Fields, whole_number};
use super::waag::Waag;
use super::work::Work;

const NAME_HELP: &str = "give the job a name, for example `name: digits-train`";
const NAME_CHARS_MAX: usize = 63;

/// The job, or everything that is wrong with it.
pub(super) fn job_file(root: &Node) -> Result<JobFile, Vec<Problem>> {
    let mut problems = Problems::default();
    let file = Fields::top(root, &mut problems).and_then(|top| read(&top, &mut problems));
    match file {
        Some(file) if problems.0.is_empty() => check(file, root),
        _ => Err(problems.0),
    }
}

/// `None` only when a problem was noted.
fn read(top: &Fields<'_>, problems: &mut Problems) -> Option<JobFile> {
    let name = top.need("name", NAME_HELP, problems, name);
    top.read("num_nodes", problems, one_node);
    let resources = Resources::read(top, problems);
    let work = Work::read(top, problems);
    let waag = Waag::read(top, &resources, problems);
    work.apart_from(&waag, problems);
    let spec = JobSpec {
        name: name?,
        resources: resources.requirement,
        use_spot: resources.use_spot,
        infra: resources.infra,
        max_hourly: waag.max_hourly,
        envs: work.envs,
        secrets: work.secrets.keys().cloned().collect(),
        workdir: work.workdir,
        file_mounts: work.file_mounts,
        setup: work.setup,
        run: work.run?,
        level: waag.level,
        budget: Budget { max_total: waag.max_total },
        deadline: waag.deadline,
        expected_run: waag.expected_run,
        window: waag.window,
        regions: waag.regions,
        checkpoint_path: waag.checkpoint.map(|(path, _)| path),
        outputs_path: waag.outputs.map(|(path, _)| path),
        value_at_risk: waag.value_at_risk,
        network: waag.network,
        verify: waag.verify,
        failover: waag.failover,
        availability_bps: waag.availability_bps,
        class: waag.class,
    };
    Some(JobFile { spec, secrets: work.secrets })
}

/// The domain has the last word, in case it forbids something that no reader of a single field noticed.
fn check(file: JobFile, root: &Node) -> Result<JobFile, Vec<Problem>> {
    match file.spec.check() {
        Ok(()) => Ok(file),
        Err(error) => Err(vec![Problem::new(root.at, error.field, error.problem, "change the field")]),
    }
}

fn name(field: &Field<'_>) -> Result<JobName, Problem> {
    let text = field.text(NAME_HELP)?;
    text.parse().map_err(|error: SpecError| {
        let like = text.chars().take(NAME_CHARS_MAX).map(|c| c.to_ascii_lowercase());
        let like: String = like.map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let like = like.trim_matches('-');
        let help =
            if like.is_empty() { NAME_HELP.to_owned() } else { format!("write for example `name: {like}`") };
        field.problem(error.problem, help)
    })
}

fn one_node(field: &Field<'_>) -> Result<(), Problem> {
    let help = "write `num_nodes: 1`, or remove it";
    match whole_number(field.text(help)?) {
        Some(1) => Ok(()),
        Some(n) if n > 1 => Err(field.problem("more than one node is not supported yet", help)),
        _ => Err(field.problem("this is not a number of nodes", help)),
    }
}
