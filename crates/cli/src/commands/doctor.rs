//! `waag doctor`: what this machine lacks, and how to mend it.

use serde::Serialize;

use agent::sandbox;

use crate::client::Client;
use crate::failure::{Done, Exit, Failure};
use crate::plane::Endpoint;
use crate::settings::{Settings, unknown_variables};
use crate::show::Out;
use crate::show::table::{Side, Table};

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    /// It is as it should be.
    Ok,
    /// It works, and could be better.
    Mend,
    /// Without it nothing can be done.
    Missing,
}

#[derive(Debug, Serialize)]
struct Check {
    name: String,
    status: Status,
    found: String,
    mend: String,
}

pub(crate) async fn run(settings: Done<Settings>, out: &Out) -> Done {
    let mut checks = vec![configuration(&settings), variables()];
    checks.extend(fence()?);
    if let Ok(settings) = &settings {
        checks.push(folder(settings));
        checks.push(control_plane(settings).await);
    }
    out.either(&checks, || table(&checks));
    let missing: Vec<&str> = checks
        .iter()
        .filter(|check| check.status == Status::Missing)
        .map(|check| check.name.as_str())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    // With --json the checks are the whole answer; the exit code says the rest.
    let failure =
        Failure::new(Exit::Failed, "machine_lacks", format!("this machine lacks: {}", missing.join(", ")));
    if out.json {
        std::process::exit(Exit::Failed as i32)
    } else {
        Err(failure.next("mend what the last column says"))
    }
}

fn check(name: &str, status: Status, found: impl Into<String>, mend: impl Into<String>) -> Check {
    Check { name: name.to_owned(), status, found: found.into(), mend: mend.into() }
}

fn configuration(settings: &Done<Settings>) -> Check {
    match settings {
        Ok(_) => check("configuration", Status::Ok, "can be read", ""),
        Err(failure) => {
            let why = failure.body.why.as_deref().unwrap_or_default();
            let found = format!("{}: {why}", failure.body.message);
            check("configuration", Status::Missing, found, failure.body.next.clone().unwrap_or_default())
        }
    }
}

fn variables() -> Check {
    match unknown_variables(std::env::vars()).as_slice() {
        [] => check("environment", Status::Ok, "no unknown WAAG_ variables", ""),
        unknown => check(
            "environment",
            Status::Mend,
            format!("no settings: {}", unknown.join(", ")),
            "unset them, or see `waag config show`",
        ),
    }
}

/// Namespaces or Landlock must be there; the rest makes the fence stronger.
fn fence() -> Done<Vec<Check>> {
    let executable = std::env::current_exe().map_err(anyhow::Error::from)?;
    let support = sandbox::probe(&executable);
    let mode = match support.mode() {
        Ok(sandbox::Mode::Namespaces) => check("sandbox", Status::Ok, "namespaces", ""),
        Ok(sandbox::Mode::Landlock) => {
            check("sandbox", Status::Mend, "Landlock only; levels high and critical refuse it", "see below")
        }
        Err(error) => check("sandbox", Status::Missing, error.to_string(), "see below"),
    };
    let findings = sandbox::examine(&executable).into_iter().map(|finding| {
        let status = if finding.works { Status::Ok } else { Status::Mend };
        check(&format!("  {}", finding.name), status, finding.detail, finding.advice)
    });
    Ok(std::iter::once(mode).chain(findings).collect())
}

fn folder(settings: &Settings) -> Check {
    let folder = settings.data.display();
    let made = std::fs::create_dir_all(&settings.data).and_then(|()| tempfile::tempfile_in(&settings.data));
    match made {
        Ok(_) => check("data folder", Status::Ok, format!("{folder} can be written"), ""),
        Err(e) => check(
            "data folder",
            Status::Missing,
            format!("{folder}: {e}"),
            "name another with --data or the setting `data`",
        ),
    }
}

async fn control_plane(settings: &Settings) -> Check {
    let Ok(endpoint) = Endpoint::read(&settings.data) else {
        return check("control plane", Status::Mend, "none was started on the data folder", "waag up");
    };
    let health = match Client::of_folder(&settings.data) {
        Ok(client) => client.health().await,
        Err(failure) => Err(failure),
    };
    match health {
        Ok(health) if health.alerts.is_empty() => {
            check("control plane", Status::Ok, format!("version {} at {}", health.version, endpoint.api), "")
        }
        Ok(health) => {
            let alerts: Vec<String> =
                health.alerts.iter().map(|alert| format!("{}: {}", alert.code, alert.text)).collect();
            check("control plane", Status::Mend, alerts.join("; "), "look at each alert")
        }
        Err(failure) => check("control plane", Status::Mend, failure.body.message, "waag up"),
    }
}

fn table(checks: &[Check]) -> String {
    let mut table = Table::new(&[
        ("check", Side::Left),
        ("", Side::Left),
        ("found", Side::Left),
        ("to mend", Side::Left),
    ]);
    for check in checks {
        let status = match check.status {
            Status::Ok => "ok",
            Status::Mend => "mend",
            Status::Missing => "MISSING",
        };
        table.row([check.name.clone(), status.to_owned(), check.found.clone(), check.mend.clone()]);
    }
    table.text()
}
