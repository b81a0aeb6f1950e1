//! Properties: a printed spec reads back as itself, and no input whatever stops the reader.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    Accelerators, Budget, FailoverRule, FileMount, JobSpec, Level, Millis, Need, NetworkName, Region,
    Requirement, Targets, Timestamp, Usd, UsdPerHour, Verify, VerifyMethod, Window, WorkClass,
};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use waag_wire::jobfile::{FILE_BYTES_MAX, parse, print};

/// Texts that YAML readers are known to take for something else, and any text without zero bytes.
fn text() -> impl Strategy<Value = String> {
    const TRAPS: &[&str] = &[
        "",
        " ",
        "yes",
        "NO",
        "on",
        "~",
        "null",
        "0x10",
        "012",
        "1_000",
        "1e3",
        ".inf",
        "a: b",
        "- a",
        "# a",
        "a #b",
        "'",
        "\"",
        "\\",
        "&a",
        "*a",
        "!a",
        "%a",
        "@a",
        "`a",
        "{",
        "[",
        "|",
        ">",
        "?",
        "---",
        "...",
        "<<",
        "\t",
        "a\n",
        "\na",
        "a\r\nb",
        "\u{85}",
        "\u{2028}",
        "\u{feff}",
        "\u{1b}[31m",
        "a\n\n  b\n",
        " a ",
        "\u{1f600}",
    ];
    prop_oneof![
        proptest::sample::select(TRAPS).prop_map(str::to_owned),
        "[^\\x00]{0,40}",
        "[a-z '\":#\\\\\n\t-]{0,60}",
    ]
}

fn nonblank() -> impl Strategy<Value = String> {
    text().prop_map(|text| if text.trim().is_empty() { format!("{text}x") } else { text })
}

fn source() -> impl Strategy<Value = String> {
    nonblank().prop_map(|text| text.replace("://", ":/"))
}

fn variable() -> impl Strategy<Value = String> {
    "[A-Za-z_][A-Za-z0-9_]{0,20}".prop_filter("reserved", |name| !name.starts_with("WAAG_"))
}

fn inside(root: &'static str) -> impl Strategy<Value = String> {
    let part = "[^/\\x00\\pC]{1,8}".prop_filter("dots", |part| part != "." && part != "..");
    vec(part, 0..3)
        .prop_map(move |parts| parts.iter().fold(root.to_owned(), |path, part| format!("{path}/{part}")))
}

fn network() -> impl Strategy<Value = NetworkName> {
    "[a-z0-9_.-]{1,40}"
        .prop_filter("stands for all", |name| name != "any")
        .prop_map(|name| name.parse().unwrap())
}

/// What `infra:` can name: one network, and none of SkyPilot's words for a cluster.
fn infra() -> impl Strategy<Value = Targets> {
    let one = network().prop_filter("not supported yet", |name| {
        !matches!(name.as_str(), "k8s" | "kubernetes" | "ssh" | "slurm")
    });
    option::of(one).prop_map(|name| name.map_or(Targets::Any, |name| Targets::Only(BTreeSet::from([name]))))
}

fn need(max: u64) -> impl Strategy<Value = Need> {
    (1..=max, any::<bool>()).prop_map(|(n, least)| if least { Need::AtLeast(n) } else { Need::Exactly(n) })
}

fn resources() -> impl Strategy<Value = Requirement> {
    let accelerators = ("[A-Za-z0-9._-]{1,60}", 1u32..=1024);
    (
        option::of(need(1_024_000)),
        option::of(need(64 << 20)),
        option::of(1u64..=1 << 30),
        option::of(accelerators.prop_map(|(model, count)| Accelerators { model, count })),
    )
        .prop_map(|(cpus_milli, memory_mib, disk_mib, accelerators)| Requirement {
            cpus_milli,
            memory_mib,
            disk_mib,
            accelerators,
        })
}

fn usd() -> impl Strategy<Value = Usd> {
    prop_oneof![1i64..5_000_000, 1..=i64::MAX].prop_map(Usd::from_micros)
}

fn regions() -> impl Strategy<Value = BTreeSet<Region>> {
    let region =
        "[A-Za-z0-9]{1,8}(-[A-Za-z0-9]{1,8}){0,3}".prop_filter("stands for all", |name| name != "any");
    btree_set(region.prop_map(|name| name.parse().unwrap()), 0..4)
}

fn failover() -> impl Strategy<Value = FailoverRule> {
    let to = prop_oneof![Just(Targets::Any), btree_set(network(), 1..4).prop_map(Targets::Only)];
    (0u32..=20, to).prop_map(|(attempts, to)| FailoverRule { attempts, to })
}

fn verify() -> impl Strategy<Value = Verify> {
    let method = prop_oneof![Just(VerifyMethod::Replay), Just(VerifyMethod::None)];
    (method, 1u32..=65_536).prop_flat_map(|(method, segments)| {
        (0..=segments).prop_map(move |sample| Verify { method, segments, sample })
    })
}

fn window() -> impl Strategy<Value = Window> {
    let moment = || option::of((0i64..4_000_000_000_000).prop_map(Timestamp));
    (moment(), moment()).prop_map(|(a, b)| match (a, b) {
        (Some(a), Some(b)) if a == b => Window::default(),
        (Some(a), Some(b)) => Window { start_after: Some(a.min(b)), finish_by: Some(a.max(b)) },
        (start_after, finish_by) => Window { start_after, finish_by },
    })
}

type Work = (
    BTreeMap<String, String>,
    BTreeSet<String>,
    Option<String>,
    BTreeMap<String, String>,
    Option<String>,
    String,
);

fn work() -> impl Strategy<Value = Work> {
    (
        btree_map(variable(), text(), 0..5),
        btree_set(variable(), 0..3),
        option::of(source()),
        btree_map(inside("/data"), source(), 0..3),
        option::of(nonblank()),
        nonblank(),
    )
}

fn spec() -> impl Strategy<Value = JobSpec> {
    let level = prop_oneof![Just(Level::Standard), Just(Level::High), Just(Level::Critical)];
    let machine =
        (option::of(any::<bool>()), 0u32..10_000, option::of(prop::sample::select(&WorkClass::ALL[..])));
    let money = (usd(), option::of(usd()), prop_oneof![Just(Usd::ZERO), usd()], machine);
    let paths = (option::of(inside("/checkpoint")), option::of(inside("/outputs")));
    let terms = (
        level,
        money,
        (1u64..=365 * 24 * 3_600_000, window(), option::of(1u64..=365 * 24 * 3_600_000)),
        regions(),
        paths,
        any::<bool>(),
        verify(),
        failover(),
    );
    ("[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", resources(), infra(), work(), terms).prop_map(
        |(name, resources, infra, work, terms)| {
            let (envs, mut secrets, workdir, mounts, setup, run) = work;
            let (
                level,
                (max_total, max_hourly, value_at_risk, (use_spot, availability_bps, class)),
                (deadline, window, expected_run),
                regions,
                paths,
                network,
                verify,
                failover,
            ) = terms;
            secrets.retain(|name| !envs.contains_key(name));
            let mount = |(inside, source)| FileMount { inside, source };
            JobSpec {
                name: name.parse().unwrap(),
                resources,
                use_spot,
                infra,
                max_hourly: max_hourly.map(UsdPerHour::new),
                envs,
                secrets,
                workdir,
                file_mounts: mounts.into_iter().map(mount).collect(),
                setup,
                run,
                level,
                budget: Budget { max_total },
                deadline: Millis(deadline),
                expected_run: expected_run.map(Millis),
                window,
                regions,
                checkpoint_path: paths.0,
                outputs_path: paths.1,
                value_at_risk,
                network,
                verify,
                failover,
                availability_bps,
                class,
            }
        },
    )
}

fn parts() -> impl Strategy<Value = String> {
    const PARTS: &[&str] = &[
        "name: a\n",
        "run: b\n",
        "envs:\n",
        "  A: b\n",
        "waag:\n",
        "resources: ",
        "{",
        "}",
        "[",
        "]",
        ": ",
        "- ",
        "? ",
        "\n",
        "  ",
        "\t",
        "\"",
        "'",
        "|\n",
        ">-\n",
        "#",
        "&a ",
        "*a",
        "!t ",
        "%YAML 1.2\n",
        "---\n",
        "...\n",
        "\r",
        "\0",
        "\u{85}",
        "\u{feff}",
        "é",
        "\\",
        ",",
        "cpus: 4",
        "secrets:\n",
        "file_mounts: ",
        "null",
    ];
    vec(proptest::sample::select(PARTS), 0..30).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_printed_spec_reads_back_as_itself(spec in spec()) {
        let printed = print(&spec);
        let file = parse(printed.as_bytes(), "printed").map_err(|e| TestCaseError::fail(format!("{e}\n{printed}")))?;
        prop_assert_eq!(&file.spec, &spec);
        prop_assert!(file.secrets.values().all(Option::is_none));
        prop_assert_eq!(print(&file.spec), printed);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..200)) {
        let _ = parse(&bytes, "bytes");
    }

    #[test]
    fn any_mix_of_yaml_is_read_or_refused_cleanly(text in parts()) {
        match parse(text.as_bytes(), "parts") {
            Ok(file) => prop_assert_eq!(&parse(print(&file.spec).as_bytes(), "again").unwrap().spec, &file.spec),
            Err(error) => {
                let message = error.to_string();
                prop_assert!(message.chars().all(|c| c == '\n' || !c.is_control()), "{}", message);
                prop_assert!(error.problems.iter().all(|p| p.line <= text.len() + 1), "{}", message);
            }
        }
    }
}

#[test]
fn the_longest_texts_print_and_read_back() {
    for c in ["x", "\n", "\"", "ü"] {
        let script = format!("x{}", c.repeat(200 * 1024 / c.len()));
        let text = format!("name: a\nrun: {}\n", serde_json::to_string(&script).unwrap());
        let file = parse(text.as_bytes(), "long").unwrap();
        let printed = print(&file.spec);
        assert!(printed.len() <= FILE_BYTES_MAX);
        assert_eq!(parse(printed.as_bytes(), "printed").unwrap(), file);
    }
}
