//! `waag config show`.

use serde::Serialize;

use crate::args::{Config, ConfigCommand};
use crate::failure::Done;
use crate::settings::{Settings, unknown_variables, variable};
use crate::show::Out;

#[derive(Serialize)]
struct Setting<'a> {
    key: &'a str,
    value: &'a str,
    origin: String,
    variable: String,
    about: &'a str,
}

pub(crate) fn run(settings: &Settings, config: &Config, out: &Out) -> Done {
    let ConfigCommand::Show { origin } = config.command;
    let rows: Vec<Setting<'_>> = settings
        .rows()
        .map(|(row, value, origin)| Setting {
            key: row.key,
            value,
            origin: origin.to_string(),
            variable: variable(row.key),
            about: row.about,
        })
        .collect();
    out.either(&rows, || settings.to_toml(origin));
    for name in unknown_variables(std::env::vars()) {
        out.say(&format!("warning: {name} is not a setting and has no effect"));
    }
    Ok(())
}
