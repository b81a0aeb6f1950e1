//! A spec as a job file, such that reading it gives the same spec.

use std::fmt::Write as _;

use domain::{JobSpec, Need, Targets, Usd, VerifyMethod, Window};

/// Writes the spec as a job file: every field that matters, in a fixed order and in ASCII, so that equal specs give
/// equal bytes. Secrets appear by name only. It reads back as the same spec for every spec that [`parse`] gives.
///
/// [`parse`]: super::parse
pub fn print(spec: &JobSpec) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write_spec(&mut out, spec);
    out
}

fn write_spec(out: &mut String, spec: &JobSpec) -> std::fmt::Result {
    writeln!(out, "name: {}", quoted(spec.name.as_str()))?;
    write_resources(out, spec)?;
    write_map(out, "envs", spec.envs.iter().map(|(k, v)| (k.as_str(), Some(v.as_str()))))?;
    write_map(out, "secrets", spec.secrets.iter().map(|name| (name.as_str(), None)))?;
    if let Some(folder) = &spec.workdir {
        writeln!(out, "workdir: {}", quoted(folder))?;
    }
    write_map(
        out,
        "file_mounts",
        spec.file_mounts.iter().map(|m| (m.inside.as_str(), Some(m.source.as_str()))),
    )?;
    if let Some(setup) = &spec.setup {
        writeln!(out, "setup: {}", quoted(setup))?;
    }
    writeln!(out, "run: {}", quoted(&spec.run))?;
    write_waag(out, spec)
}

fn write_resources(out: &mut String, spec: &JobSpec) -> std::fmt::Result {
    let mut lines = Vec::new();
    let resources = &spec.resources;
    if let Some(need) = resources.cpus_milli {
        lines.push(format!("cpus: {}", need_text(need, 1000)));
    }
    if let Some(need) = resources.memory_mib {
        lines.push(format!("memory: {}", need_text(need, 1024)));
    }
    if let Some(mib) = resources.disk_mib {
        lines.push(format!("disk_size: {}", need_text(Need::Exactly(mib), 1024)));
    }
    if let Some(wanted) = &resources.accelerators {
        lines.push(format!("accelerators: {}", quoted(&format!("{}:{}", wanted.model, wanted.count))));
    }
    if let Some(spot) = spec.use_spot {
        lines.push(format!("use_spot: {spot}"));
    }
    // A job file names one network here; a set it cannot name makes a file that is refused, never a wider or narrower one.
    if let Targets::Only(names) = &spec.infra {
        let names: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
        lines.push(format!("infra: {}", quoted(&names.join(","))));
    }
    if !lines.is_empty() {
        writeln!(out, "resources:")?;
    }
    lines.iter().try_for_each(|line| writeln!(out, "  {line}"))
}

fn write_map<'a>(
    out: &mut String,
    name: &str,
    entries: impl Iterator<Item = (&'a str, Option<&'a str>)>,
) -> std::fmt::Result {
    let mut entries = entries.peekable();
    if entries.peek().is_some() {
        writeln!(out, "{name}:")?;
    }
    for (key, value) in entries {
        writeln!(out, "  {}: {}", quoted(key), value.map_or_else(|| "null".to_owned(), quoted))?;
    }
    Ok(())
}

fn write_waag(out: &mut String, spec: &JobSpec) -> std::fmt::Result {
    writeln!(out, "waag:")?;
    writeln!(out, "  level: {}", spec.level)?;
    writeln!(out, "  budget:\n    max_total_usd: {}", spec.budget.max_total)?;
    if let Some(cap) = spec.max_hourly {
        writeln!(out, "    max_hourly_usd: {cap}")?;
    }
    writeln!(out, "  deadline: {}", spec.deadline)?;
    if let Some(span) = spec.expected_run {
        writeln!(out, "  expected_run: {span}")?;
    }
    let Window { start_after, finish_by } = spec.window;
    if start_after.is_some() || finish_by.is_some() {
        writeln!(out, "  window:")?;
    }
    for (key, at) in [("start_after", start_after), ("finish_by", finish_by)] {
        if let Some(at) = at {
            writeln!(out, "    {key}: {at}")?;
        }
    }
    if !spec.regions.is_empty() {
        let names: Vec<String> = spec.regions.iter().map(|r| quoted(r.as_str())).collect();
        writeln!(out, "  regions: [{}]", names.join(", "))?;
    }
    if let Some(path) = &spec.checkpoint_path {
        writeln!(out, "  checkpoint:\n    path: {}", quoted(path))?;
    }
    if let Some(path) = &spec.outputs_path {
        writeln!(out, "  outputs:\n    path: {}", quoted(path))?;
    }
    if spec.value_at_risk != Usd::ZERO {
        writeln!(out, "  value_at_risk_usd: {}", spec.value_at_risk)?;
    }
    if spec.availability_bps > 0 {
        writeln!(out, "  availability: 0.{:04}", spec.availability_bps)?;
    }
    if let Some(class) = spec.class {
        writeln!(out, "  class: {}", class.code())?;
    }
    writeln!(out, "  network: {}", spec.network)?;
    let method = match spec.verify.method {
        VerifyMethod::Replay => "replay",
        VerifyMethod::None => "none",
    };
    writeln!(out, "  verify:\n    method: {method}")?;
    writeln!(out, "    segments: {}\n    sample: {}", spec.verify.segments, spec.verify.sample)?;
    let to = match &spec.failover.to {
        Targets::Any => "any".to_owned(),
        Targets::Only(names) => names.iter().map(|n| quoted(n.as_str())).collect::<Vec<_>>().join(", "),
    };
    writeln!(out, "  failover:\n    attempts: {}\n    to: [{to}]", spec.failover.attempts)
}

/// `n / scale` as an exact decimal; ten digits suffice for 1/1024.
fn need_text(need: Need, scale: u64) -> String {
    const DIGITS: u128 = 10_000_000_000;
    let all = u128::from(need.least()) * DIGITS / u128::from(scale);
    let mut fraction = format!("{:010}", all % DIGITS);
    while fraction.ends_with('0') {
        fraction.pop();
    }
    let point = if fraction.is_empty() { "" } else { "." };
    let plus = if matches!(need, Need::AtLeast(_)) { "+" } else { "" };
    quoted(&format!("{}{point}{fraction}{plus}", all / DIGITS))
}

/// A double-quoted YAML scalar in ASCII, so that no character can be taken for anything else.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            ' '..='~' => out.push(c),
            _ if u32::from(c) <= 0xffff => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            _ => out.push_str(&format!("\\U{:08x}", u32::from(c))),
        }
    }
    out.push('"');
    out
}
