//! A workload's start, output and end.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use tokio::io::AsyncReadExt;
use waag_agent::sandbox::{Exit, Mode, SandboxError, Support, examine, probe, spawn};

use crate::Case;
use crate::fixture::{Fixture, block_on, processes_with, unique, wait_for_end};

pub(crate) const CASES: &[Case] = &[
    ("an_agent_that_keeps_its_files_to_itself_closes_no_folder_to_its_job", umask),
    ("output_exit_code_and_environment_are_the_jobs_own", output_exit_code_and_environment_are_the_jobs_own),
    ("a_signal_is_told_from_a_code", a_signal_is_told_from_a_code),
    ("the_user_has_no_rights", the_user_has_no_rights),
    ("a_device_is_reached_only_where_it_is_given", a_device_is_reached_only_where_it_is_given),
    ("nothing_is_left_when_the_workload_ends", nothing_is_left_when_the_workload_ends),
    ("nothing_is_left_when_it_is_killed", nothing_is_left_when_it_is_killed),
    ("nothing_is_left_when_it_is_dropped", nothing_is_left_when_it_is_dropped),
    (
        "a_program_stopped_while_it_starts_another_holds_nobody_up",
        a_program_stopped_while_it_starts_another_holds_nobody_up,
    ),
    ("the_job_dies_with_its_agent", the_job_dies_with_its_agent),
    ("a_job_that_cannot_be_fenced_is_not_started", a_job_that_cannot_be_fenced_is_not_started),
    ("this_machine_is_described_with_advice", this_machine_is_described_with_advice),
    ("where_namespaces_are_forbidden_landlock_holds", where_namespaces_are_forbidden_landlock_holds),
    ("a_large_spec_arrives_whole", a_large_spec_arrives_whole),
    ("start_time", start_time),
];

fn output_exit_code_and_environment_are_the_jobs_own(f: &Fixture) {
    let mut spec = f.spec("echo out; echo err >&2; env; pwd; cat; exit 7");
    spec.env.insert("SECRET".to_owned(), "line one\nline 'two'".to_owned());
    let outcome = f.run_spec(&spec);
    assert_eq!((outcome.exit, outcome.err.as_str()), (Exit::Code(7), "err\n"));
    assert!(outcome.out.starts_with("out\n") && outcome.out.contains("SECRET=line one\nline 'two'\n"));
    assert!(outcome.out.ends_with(&format!("{}\n", f.seen("job").display())), "{}", outcome.out);
    assert!(!outcome.out.contains("CARGO") && !outcome.out.contains("USER="), "{}", outcome.out);
    // Nobody could read it beside the job.
    assert_eq!(processes_with("line 'two'"), []);
}

/// A terminal that is not there stands for a device that every machine has.
fn a_device_is_reached_only_where_it_is_given(f: &Fixture) {
    let reached = |devices: &[&str]| {
        let mut spec = f.spec(": < /dev/tty");
        spec.devices = devices.iter().map(|name| (*name).to_owned()).collect();
        let said = f.run_spec(&spec).err;
        !(said.contains("denied") || said.contains("No such file"))
    };
    assert!(!reached(&[]), "a workload that was given none reached it");
    assert!(reached(&["tty"]), "a workload that was given it did not");
}

fn a_signal_is_told_from_a_code(f: &Fixture) {
    assert_eq!(f.run("kill -15 $$").exit, Exit::Signal(15));
    assert_eq!(f.run("exit 143").exit, Exit::Code(143));
    assert_eq!(f.run("exit 255").exit, Exit::Code(255));
    assert_eq!(f.run("yes | head -1").out, "y\n");
}

fn the_user_has_no_rights(f: &Fixture) {
    let id = f.uid.unwrap_or(if f.namespaces() { 1000 } else { rustix::process::getuid().as_raw() });
    f.expect("id -u; id -g", &format!("{id}\n{id}"));
    if f.namespaces() {
        let want = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"]
            .map(|name| format!("{name}:\t0000000000000000"));
        f.expect("grep ^Cap /proc/self/status", &want.join("\n"));
        f.expect("grep -E '^(NoNewPrivs|Seccomp):' /proc/self/status", "NoNewPrivs:\t1\nSeccomp:\t2");
        f.expect("uname -n; id -un", "waag-job\njob");
    }
}

/// A process that left its group, its session and its parent.
fn runaway(mark: &str) -> String {
    format!(
        "(setsid sleep {mark} &) ; (setsid setsid sh -c 'sleep {mark} & sleep {mark}' > /dev/null 2>&1 &)"
    )
}

fn nothing_is_left_when_the_workload_ends(f: &Fixture) {
    let mark = unique();
    let outcome = block_on(async {
        let mut running = spawn(&f.spec(&format!("{}; exit 4", runaway(&mark)))).unwrap();
        running.wait().await.unwrap()
    });
    assert_eq!((outcome, processes_with(&mark)), (Exit::Code(4), vec![]));
    no_group_is_left();
}

fn nothing_is_left_when_it_is_killed(f: &Fixture) {
    let mark = unique();
    let spec = f.spec(&format!("{}; echo ready; sleep {mark}", runaway(&mark)));
    block_on(async {
        let mut running = spawn(&spec).unwrap();
        let (mut out, _err) = running.output();
        out.as_mut().unwrap().read_u8().await.unwrap();
        assert!(!processes_with(&mark).is_empty());
        running.kill();
        assert_eq!(running.wait().await.unwrap(), Exit::Signal(9));
    });
    assert_eq!(processes_with(&mark), []);
    no_group_is_left();
}

fn a_program_stopped_while_it_starts_another_holds_nobody_up(f: &Fixture) {
    let mark = unique();
    let spec = f.spec(&format!("$WAAG attempt stop-a-start {mark} & sleep {mark}"));
    block_on(async {
        let mut running = spawn(&spec).unwrap();
        let (mut out, _err) = running.output();
        out.as_mut().unwrap().read_u8().await.unwrap();
        wait_for_state(&mark, 'D');
        running.kill();
        assert_eq!(running.wait().await.unwrap(), Exit::Signal(9));
    });
    assert_eq!(processes_with(&mark), []);
    no_group_is_left();
}

/// Waits until one of the processes with a word in its command line is in a state of proc(5).
fn wait_for_state(mark: &str, state: char) {
    let is = |pid: &rustix::process::Pid| {
        let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with(state))
    };
    let began = Instant::now();
    while !processes_with(mark).iter().any(is) {
        assert!(began.elapsed().as_secs() < 10, "no process with {mark} came into state {state}");
        std::thread::yield_now();
    }
}

fn nothing_is_left_when_it_is_dropped(f: &Fixture) {
    let mark = unique();
    block_on(async {
        let mut running = spawn(&f.spec(&format!("{}; echo ready; sleep {mark}", runaway(&mark)))).unwrap();
        running.output().0.unwrap().read_u8().await.unwrap();
    });
    assert_eq!(processes_with(&mark), []);
    no_group_is_left();
}

fn no_group_is_left() {
    let name = format!("waag-{}-", std::process::id());
    let mut folders = vec![std::path::PathBuf::from("/sys/fs/cgroup")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            assert!(!entry.file_name().to_string_lossy().starts_with(&name), "{}", entry.path().display());
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(entry.path());
            }
        }
    }
}

/// An agent that will be killed: it starts a workload and waits.
pub(crate) fn agent(args: &[String]) -> ExitCode {
    let mode = if args[0] == "namespaces" { Mode::Namespaces } else { Mode::Landlock };
    let f = Fixture::new(mode);
    let outcome = block_on(async {
        let mut running =
            spawn(&f.spec(&format!("{}; echo ready; sleep {}", runaway(&args[1]), args[1]))).unwrap();
        running.output().0.unwrap().read_u8().await.unwrap();
        println!("{} {}", running.pid().unwrap(), f.dir.path().display());
        running.wait().await.unwrap()
    });
    panic!("it ended with {outcome:?}");
}

fn the_job_dies_with_its_agent(f: &Fixture) {
    let mark = unique();
    let mut agent = Command::new(std::env::current_exe().unwrap())
        .args(["agent", if f.namespaces() { "namespaces" } else { "landlock" }, &mark])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(agent.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let (supervisor, folder) = line.trim().split_once(' ').unwrap();
    let supervisor = supervisor.parse().ok().and_then(rustix::process::Pid::from_raw).unwrap();
    agent.kill().unwrap();
    wait_for_end(&[supervisor]);
    agent.wait().unwrap();
    assert_eq!(processes_with(&mark), []);
    fs::remove_dir_all(folder).unwrap();
}

fn a_job_that_cannot_be_fenced_is_not_started(f: &Fixture) {
    let mut spec = f.spec("echo started");
    // An agent with rights must not run it under its own user, one without cannot choose another.
    spec.uid = if f.uid.is_some() { None } else { Some(1) };
    let outcome = f.run_spec(&spec);
    assert_eq!((outcome.exit, outcome.out.as_str()), (Exit::NotStarted, ""));
    assert!(outcome.refusal.unwrap().contains("user of its own") && outcome.err.contains("was not started"));
    let mut spec = f.spec("echo started");
    spec.workdir = "/nowhere".into();
    let outcome = f.run_spec(&spec);
    assert_eq!((outcome.exit, outcome.out.as_str()), (Exit::NotStarted, ""));
    assert!(outcome.refusal.unwrap().contains("working directory"));
    let mut spec = f.spec("echo started");
    spec.binds[1].host = f.path("missing");
    assert_eq!(f.run_spec(&spec).exit, Exit::NotStarted);
}

fn this_machine_is_described_with_advice(f: &Fixture) {
    let exe = std::env::current_exe().unwrap();
    let began = Instant::now();
    let support = probe(&exe);
    println!("  probe {:?}, {support:?}", began.elapsed());
    assert_eq!(support.root, f.uid.is_some());
    let findings = examine(&exe);
    assert!(findings.len() >= 10);
    for finding in &findings {
        assert_eq!(finding.works, finding.advice.is_empty(), "{finding:?}");
        if !finding.works {
            println!("  {}: {}; {}", finding.name, finding.detail, finding.advice);
        }
    }
    // What was found is what happens: a mode that is said not to work is refused, and the other way round.
    let works = if f.namespaces() { support.namespaces } else { support.landlock };
    assert_eq!(f.run("exit 0").exit, if works { Exit::Code(0) } else { Exit::NotStarted });
    let nothing = Support { namespaces: false, landlock: false, cgroup: None, root: false };
    let SandboxError::Unsupported { missing, advice } = nothing.mode().unwrap_err() else { panic!() };
    assert!(missing.contains("Landlock") && advice.contains("sysctl"));
}

/// Behind the fence namespaces are forbidden, so an agent there is one on a machine that forbids them.
fn where_namespaces_are_forbidden_landlock_holds(f: &Fixture) {
    if !f.namespaces() {
        return;
    }
    let outcome = f.run("cd /tmp && $WAAG attempt nested");
    assert_eq!(outcome.exit, Exit::Code(0), "{}", outcome.err);
    assert!(outcome.out.starts_with("false Landlock NotStarted could not leave"), "{}", outcome.out);
}

fn a_large_spec_arrives_whole(f: &Fixture) {
    let large = "x".repeat(100_000);
    let mut spec = f.spec("echo ${#A} ${#B} ${#C}");
    for name in ["A", "B", "C"] {
        spec.env.insert(name.to_owned(), large.clone());
    }
    assert_eq!(f.run_spec(&spec).out, "100000 100000 100000\n");
}

/// From the call to the workload's first word, median of 20 after a warm-up.
fn start_time(f: &Fixture) {
    let spec = f.spec("echo x");
    let mut times: Vec<_> = (0..21)
        .map(|_| {
            block_on(async {
                let began = Instant::now();
                let mut running = spawn(&spec).unwrap();
                let (mut out, err) = running.output();
                out.as_mut().unwrap().read_u8().await.unwrap();
                let took = began.elapsed();
                drop((out, err));
                running.wait().await.unwrap();
                took
            })
        })
        .skip(1)
        .collect();
    times.sort();
    println!("  median {:?}, from {:?} to {:?}", times[10], times[0], times[19]);
}

fn umask(fixture: &Fixture) {
    use rustix::fs::Mode;
    let before = rustix::process::umask(Mode::from_raw_mode(0o077));
    let scratch = if fixture.namespaces() { "/tmp/own" } else { "$JOB/own" };
    fixture.expect(&format!("echo made > {scratch} && cat {scratch} && umask"), "made\n0022");
    rustix::process::umask(before);
}
