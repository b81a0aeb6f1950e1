//! Ways out that must be closed. After each the agent, which is this process, lives.

use std::fs;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tokio::io::AsyncReadExt;
use waag_agent::sandbox::{Bind, Exit, disk_usage, probe, spawn};

use crate::Case;
use crate::fixture::{Fixture, MIB, block_on, finish, processes_with, unique};

pub(crate) const CASES: &[Case] = &[
    ("another_jobs_folder_is_refused", another_jobs_folder_is_refused),
    ("the_hosts_files_are_refused", the_hosts_files_are_refused),
    ("writing_outside_is_refused", writing_outside_is_refused),
    ("a_planted_link_gives_no_way_into_the_host", a_planted_link_gives_no_way_into_the_host),
    ("the_hosts_network_is_refused", the_hosts_network_is_refused),
    ("a_network_that_was_asked_for_works", a_network_that_was_asked_for_works),
    ("system_calls_are_refused", system_calls_are_refused),
    ("the_agents_memory_and_environment_are_refused", the_agents_memory_and_environment_are_refused),
    ("signals_stay_within_the_job", signals_stay_within_the_job),
    ("devices_are_refused", devices_are_refused),
    ("a_fork_bomb_stays_bounded", a_fork_bomb_stays_bounded),
    ("processes_beyond_the_limit_are_refused", processes_beyond_the_limit_are_refused),
    ("memory_beyond_the_limit_ends_the_job", memory_beyond_the_limit_ends_the_job),
    ("a_full_disk_is_told_to_the_job", a_full_disk_is_told_to_the_job),
    ("limits_cannot_be_raised", limits_cannot_be_raised),
    ("inherited_descriptors_are_closed", inherited_descriptors_are_closed),
];

fn another_jobs_folder_is_refused(f: &Fixture) {
    f.refused("cat $HOST/other/secret");
    f.refused("ls $HOST/other");
    f.refused("cat $JOB/../other/secret");
    f.refused("ln -s $HOST/other/secret $JOB/link && cat $JOB/link");
    f.refused("ln $HOST/other/secret $JOB/hard && cat $JOB/hard");
    f.refused("echo changed > $HOST/other/secret");
    f.refused("rm $HOST/other/secret");
    assert_eq!(fs::read_to_string(f.path("other/secret")).unwrap(), "the-other-job");
}

fn the_hosts_files_are_refused(f: &Fixture) {
    f.refused("cat $HOST/keys");
    f.refused("cat /etc/shadow");
    f.refused("ls /root");
    f.refused("ls /home");
    f.refused("ls /var");
    f.refused("ls /sys/kernel");
    f.refused("cat /proc/1/environ");
    if f.namespaces() {
        f.expect("echo $(ls /)", &tree());
        f.refused("ls -d $HOST");
    }
}

fn tree() -> String {
    let links = ["bin", "lib", "lib32", "lib64", "sbin"];
    let there = links.iter().filter(|name| PathBuf::from(format!("/{name}")).exists()).copied();
    let own = ["dev", "etc", "fixed", "job", "opt", "proc", "tmp", "usr"];
    let mut all: Vec<&str> = there.chain(own).collect();
    all.sort_unstable();
    all.join(" ")
}

fn writing_outside_is_refused(f: &Fixture) {
    for path in ["/usr/x", "/etc/x", "/x", "/opt/x", "/proc/x", "/dev/x", "$FIXED/x", "$HOST/x", "/var/x"] {
        f.refused(&format!("touch {path}"));
    }
    f.refused("echo x >> $FIXED/data");
    f.refused("echo x >> $WAAG");
    f.refused("echo x > /etc/passwd");
    f.refused("mv /usr/bin/env /usr/bin/other");
    f.refused("chmod 777 $FIXED/data");
    f.refused("touch -d 2000-01-01 $FIXED/data");
    f.expect("echo new > $JOB/result && cat $JOB/result $FIXED/data", "new\nfixed");
    assert_eq!(fs::read_to_string(f.path("job/result")).unwrap(), "new\n");
    assert_eq!(fs::read_to_string(f.path("fixed/data")).unwrap(), "fixed");
}

/// A first command of the job leaves a link where the agent will mount for the second.
fn a_planted_link_gives_no_way_into_the_host(f: &Fixture) {
    if !f.namespaces() {
        return;
    }
    f.expect(&format!("ln -s {} $JOB/data", f.path("other").display()), "");
    let mut spec = f.spec("echo started");
    spec.binds.push(Bind { host: f.path("fixed"), inside: "/job/data/deep".into(), writable: false });
    let outcome = f.run_spec(&spec);
    assert_eq!(outcome.exit, Exit::NotStarted, "{}", outcome.out);
    assert!(!f.path("other/deep").exists());
}

fn the_hosts_network_is_refused(f: &Fixture) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    f.refused(&format!("$WAAG attempt connect {address}"));
    // Documentation addresses, RFC 5737 and RFC 3849.
    f.refused("$WAAG attempt connect 192.0.2.1:80");
    f.refused("$WAAG attempt connect [2001:db8::1]:80");
    let name = format!("waag-{}", unique());
    let _held = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    f.refused(&format!("$WAAG attempt abstract {name}"));
    if f.namespaces() {
        f.expect("$WAAG attempt loopback", "connected");
    }
}

fn a_network_that_was_asked_for_works(f: &Fixture) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let name = format!("waag-{}", unique());
    let _held = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let mut spec = f.spec(&format!("$WAAG attempt connect {address}; $WAAG attempt abstract {name}; :"));
    spec.network = true;
    let outcome = f.run_spec(&spec);
    assert_eq!(outcome.out, "connected\n", "{}", outcome.err);
}

fn system_calls_are_refused(f: &Fixture) {
    f.expect(&format!("$WAAG attempt calls {}", if f.namespaces() { "" } else { "weaker" }), "");
}

fn the_agents_memory_and_environment_are_refused(f: &Fixture) {
    for file in ["environ", "mem", "maps", "fd/0", "root/etc/passwd", "cwd/", "auxv", "cmdline"] {
        f.refused(&format!("head -c 1 /proc/$AGENT/{file}"));
    }
    f.refused("ls /proc/$AGENT/fd");
    // The supervisor and process 1 hold the spec, with all secrets.
    for file in ["environ", "mem", "maps", "fd/0"] {
        f.refused(&format!("head -c 1 /proc/$PPID/{file}"));
    }
    if f.namespaces() {
        f.refused("test -e /proc/$AGENT");
        f.expect("echo $$ $PPID", "2 1");
    }
}

/// A process outside, of the agent's user; it ends with the case.
struct Outside(Child);

impl Outside {
    fn start() -> Self {
        let mut sleep = Command::new("/bin/sleep");
        sleep.arg("1000").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(sleep.spawn().unwrap())
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn signals_stay_within_the_job(f: &Fixture) {
    let mut outside = Outside::start();
    f.refused("kill -9 $AGENT");
    f.refused(&format!("kill -9 {}", outside.0.id()));
    // The shell or its group may die, the supervisor and the agent do not.
    for command in ["kill -9 -1", "kill -9 0", "kill -9 $PPID", "kill -9 1"] {
        let outcome = f.run(&format!("{command}; exit 5"));
        assert!(matches!(outcome.exit, Exit::Code(5) | Exit::Signal(9)), "{command}: {:?}", outcome.exit);
    }
    assert!(outside.0.try_wait().unwrap().is_none(), "a process outside was killed");
}

fn devices_are_refused(f: &Fixture) {
    f.refused("mknod $JOB/node b 8 0");
    f.refused("mknod $JOB/node c 1 1");
    for device in fs::read_dir("/dev").unwrap().flatten().map(|entry| entry.path()) {
        let name = device.file_name().unwrap().to_str().unwrap().to_owned();
        if name.starts_with("vd") || name.starts_with("sd") || ["mem", "kmsg", "kvm"].contains(&name.as_str())
        {
            f.refused(&format!("head -c 1 /dev/{name}"));
        }
    }
    f.expect("head -c 4 /dev/zero | wc -c; echo x > /dev/null; head -c 1 /dev/urandom | wc -c", "4\n1");
}

fn a_fork_bomb_stays_bounded(f: &Fixture) {
    let mark = unique();
    let spec = f.spec(&format!(": {mark}; bomb() {{ bomb | bomb & }}; bomb; while :; do :; done"));
    block_on(async {
        let mut running = spawn(&spec).unwrap();
        // The shell complains as soon as the limit is reached.
        let (_out, err) = running.output();
        let mut first = [0u8; 1];
        assert_eq!(err.unwrap().read(&mut first).await.unwrap(), 1);
        let began = Instant::now();
        assert!(Command::new("/bin/true").status().unwrap().success());
        assert!(began.elapsed() < Duration::from_secs(2), "the machine does not respond");
        let found = processes_with(&mark).len();
        assert!(found <= 66, "{found} processes");
        running.kill();
        running.wait().await.unwrap();
    });
    assert_eq!(processes_with(&mark), []);
}

fn processes_beyond_the_limit_are_refused(f: &Fixture) {
    let mut spec = f.spec("exec $WAAG attempt fork 200");
    spec.limits.pids = 20;
    let outcome = f.run_spec(&spec);
    // With the agent's own user id, what else that user ends meanwhile makes room.
    let most = if f.namespaces() || f.uid.is_some() { 20 } else { 30 };
    let count: usize = outcome.out.split(' ').next().unwrap().parse().unwrap();
    assert!(
        (10..=most).contains(&count) && outcome.out.contains("WouldBlock"),
        "{} {}",
        outcome.out,
        outcome.err
    );
}

fn memory_beyond_the_limit_ends_the_job(f: &Fixture) {
    let mut spec = f.spec("exec $WAAG attempt memory 32");
    spec.limits.memory_bytes = 128 * MIB;
    assert_eq!(f.run_spec(&spec).out, "filled 32\n");
    spec.command = "exec $WAAG attempt memory 1000".to_owned();
    let exit = f.run_spec(&spec).exit;
    let expected = match probe(&spec.executable).cgroup {
        Some(_) => Exit::OutOfMemory,
        // The address space ends and the program gives up.
        None => Exit::Signal(6),
    };
    assert_eq!(exit, expected);
}

fn a_full_disk_is_told_to_the_job(f: &Fixture) {
    let fill = |at: &str| {
        format!("for n in $(seq 40); do head -c 1048576 /dev/zero > {at}/$n || exit 3; done; exit 0")
    };
    if f.namespaces() {
        let outcome = f.run(&fill("/tmp"));
        assert!(outcome.err.contains("No space left"), "{:?} {}", outcome.exit, outcome.err);
        let outcome = f.run(&format!("rm -f /tmp/*; {}", fill("/dev/shm")));
        assert!(outcome.err.contains("No space left"), "{:?} {}", outcome.exit, outcome.err);
    }
    let outcome = f.run("exec head -c 20000000 /dev/zero > $JOB/large");
    assert_eq!(outcome.exit, Exit::Signal(libc::SIGXFSZ));
    assert_eq!(fs::metadata(f.path("job/large")).unwrap().len(), 16 * MIB);
    // Many files: the agent sees it.
    assert_eq!(f.run(&fill("$JOB")).exit, Exit::Code(0));
    assert!(disk_usage(&f.path("job"), u64::MAX) >= 56 * MIB);
    assert!((20 * MIB..56 * MIB).contains(&disk_usage(&f.path("job"), 20 * MIB)));
}

fn limits_cannot_be_raised(f: &Fixture) {
    f.expect("ulimit -n; ulimit -c; ulimit -f", "256\n0\n32768");
    f.refused("ulimit -n 1000");
    f.refused("ulimit -Hn 1000");
    f.refused("ulimit -f unlimited");
    f.refused("ulimit -Hc unlimited");
    f.refused("nice -n -5 true 2>&1 | grep -v .");
}

fn inherited_descriptors_are_closed(f: &Fixture) {
    let key = fs::File::open(f.path("keys")).unwrap();
    // A careless parent leaves it open for whatever is executed.
    let kept = rustix::io::fcntl_dupfd_cloexec(&key, 100).unwrap();
    rustix::io::fcntl_setfd(&kept, rustix::io::FdFlags::empty()).unwrap();
    let outcome =
        block_on(async { finish(spawn(&f.spec("echo $(ls /proc/self/fd | sort -n)")).unwrap()).await });
    drop(kept);
    let expected = if f.namespaces() { "0 1 2 3" } else { "" };
    assert_eq!(outcome.out.trim(), expected, "{}", outcome.err);
}
