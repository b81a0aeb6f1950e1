//! Every setting, where its value came from, and how it is named: flag, then `WAAG_*`, then `waag.toml`, then default.
//!
//! `table.rs` lists them; this file finds values and turns the text of each into what it means.

mod table;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub(crate) use table::{ROWS, Settings};

use crate::failure::{Done, Exit, Failure};

const FILE_NAME: &str = "waag.toml";
const PREFIX: &str = "WAAG_";
/// Variables that begin like settings and are none.
const NOT_SETTINGS: [&str; 2] = ["WAAG_CONFIG", "WAAG_LOG"];

/// What the command line says of the configuration.
#[derive(Debug, Clone, Default)]
pub(crate) struct Flags {
    pub(crate) data: Option<PathBuf>,
    pub(crate) config: Option<PathBuf>,
    /// Further settings that a command names by flags: key, value and flag.
    pub(crate) named: Vec<(&'static str, String, &'static str)>,
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    Default,
    File(PathBuf),
    Variable(String),
    Flag(&'static str),
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Variable(name) => f.write_str(name),
            Self::Flag(name) => f.write_str(name),
        }
    }
}

/// Values as text, with their origins, by key.
pub(crate) type Values = BTreeMap<&'static str, (String, Origin)>;

impl Settings {
    /// The settings in force here.
    pub(crate) fn load(flags: &Flags) -> Done<Self> {
        let mut values: Values =
            ROWS.iter().map(|row| (row.key, ((row.default)(), Origin::Default))).collect();
        if let Some(path) = config_file(flags)? {
            from_file(&path, &mut values)?;
        }
        from_environment(&mut values, std::env::vars())?;
        if let Some(data) = &flags.data {
            values.insert("data", (data.display().to_string(), Origin::Flag("--data")));
        }
        for (key, text, flag) in &flags.named {
            values.insert(key, (text.clone(), Origin::Flag(flag)));
        }
        Self::of(values)
    }

    /// The settings with these values.
    pub(crate) fn of(values: Values) -> Done<Self> {
        let mut settings = Self::blank(values.clone());
        for row in ROWS {
            let Some((text, origin)) = values.get(row.key) else { continue };
            (row.set)(&mut settings, text).map_err(|why| {
                Failure::new(Exit::Usage, "setting_invalid", format!("{} cannot be `{text}`", row.key))
                    .why(why)
                    .next(format!("mend it in {origin}; `waag config show` lists every setting"))
            })?;
        }
        settings.engine.spot_pace = if settings.trace.is_some() { settings.trace_pace } else { 1 };
        // Agents and clients have working folders of their own.
        settings.data = std::path::absolute(&settings.data).unwrap_or(settings.data);
        Ok(settings)
    }
}

fn config_file(flags: &Flags) -> Done<Option<PathBuf>> {
    if let Some(path) = &flags.config {
        return Ok(Some(path.clone()));
    }
    let user = table::home_folder("XDG_CONFIG_HOME", ".config").join("waag").join(FILE_NAME);
    Ok([PathBuf::from(FILE_NAME), user].into_iter().find(|path| path.exists()))
}

fn from_file(path: &Path, values: &mut Values) -> Done {
    let wrong = |why: String| {
        Failure::new(Exit::Usage, "config_invalid", format!("{} cannot be used", path.display())).why(why)
    };
    let text = std::fs::read_to_string(path).map_err(|e| {
        wrong(e.to_string()).next("name an existing file with --config, or leave the flag out")
    })?;
    let table: toml::Table = text
        .parse()
        .map_err(|e: toml::de::Error| wrong(e.to_string()).next("mend the file at that place"))?;
    let mut flat = Vec::new();
    flatten("", &table, &mut flat);
    for (key, text) in flat {
        let Some(row) = ROWS.iter().find(|row| row.key == key) else {
            return Err(wrong(format!("`{key}` is not a setting"))
                .next(format!("{}`waag config show` lists every setting", nearest(&key))));
        };
        let text = text.ok_or_else(|| wrong(format!("`{key}` is a list or a table, and takes one value")))?;
        values.insert(row.key, (text, Origin::File(path.to_owned())));
    }
    Ok(())
}

/// Dotted keys with their values as text; `None` for what is not one value.
fn flatten(prefix: &str, table: &toml::Table, out: &mut Vec<(String, Option<String>)>) {
    for (name, value) in table {
        let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        match value {
            toml::Value::Table(inner) => flatten(&key, inner, out),
            toml::Value::String(text) => out.push((key, Some(text.clone()))),
            toml::Value::Array(_) => out.push((key, None)),
            scalar => out.push((key, Some(scalar.to_string()))),
        }
    }
}

fn from_environment(values: &mut Values, vars: impl Iterator<Item = (String, String)>) -> Done {
    for (name, text) in vars {
        if !name.starts_with(PREFIX) || NOT_SETTINGS.contains(&name.as_str()) {
            continue;
        }
        if let Some(row) = ROWS.iter().find(|row| variable(row.key) == name) {
            values.insert(row.key, (text, Origin::Variable(name)));
        }
    }
    Ok(())
}

/// The variable that overrides a setting: `engine.heartbeat` is `WAAG_ENGINE_HEARTBEAT`.
pub(crate) fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "_").to_ascii_uppercase())
}

/// Variables that look like settings and are none, so that a typing error does not pass in silence.
pub(crate) fn unknown_variables(vars: impl Iterator<Item = (String, String)>) -> Vec<String> {
    let known = |name: &str| {
        NOT_SETTINGS.contains(&name)
            || name.starts_with("WAAG_SEGMENT")
            || name.ends_with("_DIR")
            || ROWS.iter().any(|row| variable(row.key) == name)
    };
    let mut unknown: Vec<String> =
        vars.map(|(name, _)| name).filter(|name| name.starts_with(PREFIX) && !known(name)).collect();
    unknown.sort();
    unknown
}

/// `did you mean ...? ` when a setting ends alike or differs in a few letters.
fn nearest(key: &str) -> String {
    let last = |key: &str| key.rsplit('.').next().unwrap_or_default().to_owned();
    let found = ROWS.iter().find(|row| last(row.key) == last(key) || distance(row.key, key) <= 3);
    found.map_or_else(String::new, |row| format!("did you mean `{}`? ", row.key))
}

/// Levenshtein's distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let change = corner + usize::from(ca != *cb);
            corner = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn defaults() -> Values {
        ROWS.iter().map(|row| (row.key, ((row.default)(), Origin::Default))).collect()
    }

    fn load(toml: &str, vars: &[(&str, &str)]) -> Done<Settings> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("waag.toml");
        std::fs::write(&path, toml).unwrap();
        let mut values = defaults();
        from_file(&path, &mut values)?;
        let vars = vars.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        from_environment(&mut values, vars)?;
        Settings::of(values)
    }

    #[test]
    fn every_default_is_valid_and_printed_defaults_load_again() {
        let settings = Settings::of(defaults()).unwrap();
        let printed = settings.to_toml(false);
        let again = load(&printed, &[]).unwrap();
        assert_eq!(again.to_toml(false), printed);
        assert_eq!(settings.engine.heartbeat, domain::Millis::from_secs(5));
    }

    #[test]
    fn a_variable_wins_over_the_file_and_the_file_over_the_default() {
        let file = "[engine]\nheartbeat = \"2s\"\nheartbeat_misses = 4\n";
        let settings = load(file, &[("WAAG_ENGINE_HEARTBEAT", "1s")]).unwrap();
        assert_eq!(settings.engine.heartbeat, domain::Millis::from_secs(1));
        assert_eq!(settings.engine.heartbeat_misses, 4);
        let shown = settings.to_toml(true);
        assert!(
            shown.contains("heartbeat = \"1s\"") && shown.contains("# from WAAG_ENGINE_HEARTBEAT"),
            "{shown}"
        );
    }

    #[test]
    fn wrong_files_name_the_field_and_the_fix() {
        for (file, code, part) in [
            ("[engine]\nheartbeet = \"2s\"", "config_invalid", "did you mean `engine.heartbeat`?"),
            ("[engine]\nheartbeat = \"soon\"", "setting_invalid", "engine.heartbeat cannot be `soon`"),
            ("[engine]\nheartbeat = [1]", "config_invalid", "takes one value"),
            ("[engine", "config_invalid", "mend the file"),
            ("api.listen = \"0.0.0.0:80\"", "setting_invalid", "loopback"),
            ("account.fund_usd = -1", "setting_invalid", "account.fund_usd"),
        ] {
            let failure = load(file, &[]).err().unwrap();
            let said = format!("{:?}", failure.body);
            assert_eq!(failure.body.code, code, "{said}");
            assert!(said.contains(part), "{said}");
        }
    }

    #[test]
    fn a_variable_with_a_typing_error_is_noticed() {
        let vars =
            [("WAAG_ENGIN_HEARTBEAT", ""), ("WAAG_DATA", ""), ("WAAG_CHECKPOINT_DIR", ""), ("PATH", "")];
        let vars = vars.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        assert_eq!(unknown_variables(vars), ["WAAG_ENGIN_HEARTBEAT"]);
    }
}
