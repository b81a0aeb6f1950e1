//! What a hostile workload does: this program, started behind the fence.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use waag_agent::sandbox::{Mode, probe};

use crate::fixture::Fixture;

const CONNECT_PATIENCE: Duration = Duration::from_secs(2);

pub(crate) fn attempt(args: &[String]) -> ExitCode {
    let arg = |n: usize| args.get(n).map(String::as_str).unwrap_or_default();
    let tried = match arg(0) {
        "connect" => arg(1).parse().map_err(io::Error::other).and_then(|address| {
            TcpStream::connect_timeout(&address, CONNECT_PATIENCE).map(|_| "connected".to_owned())
        }),
        "abstract" => SocketAddr::from_abstract_name(arg(1))
            .and_then(|address| UnixStream::connect_addr(&address))
            .map(|_| "connected".to_owned()),
        "loopback" => TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| TcpStream::connect(listener.local_addr()?))
            .map(|_| "connected".to_owned()),
        "memory" => Ok(fill_memory(arg(1).parse().unwrap())),
        "fork" => Ok(fork_all(arg(1).parse().unwrap())),
        "calls" => Ok(calls(arg(1) == "weaker")),
        "nested" => Ok(nested()),
        "stop-a-start" => stop_a_start(),
        other => panic!("no attempt is called {other}"),
    };
    match tried {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Touches this many MiB.
fn fill_memory(mib: usize) -> String {
    let mut held = Vec::new();
    for n in 0..mib {
        held.push(vec![n as u8 | 1; 1024 * 1024]);
    }
    format!("filled {}", held.iter().filter(|block| block.iter().all(|byte| *byte != 0)).count())
}

/// Starts children until it may not, and says how many there were.
fn fork_all(most: usize) -> String {
    let mut children = Vec::new();
    while children.len() < most {
        match std::process::Command::new("/bin/sleep").arg("1000").spawn() {
            Ok(child) => children.push(child),
            Err(error) => return format!("{} {:?}", children.len(), error.kind()),
        }
    }
    "all".to_owned()
}

/// Waits in the kernel, as every program that starts another does, for a child that is stopped before it has become
/// the other program.
#[expect(unsafe_code, reason = "no wrapper asks for a parent that waits")]
fn stop_a_start() -> io::Result<String> {
    // Nothing can be said once it waits.
    println!("waiting");
    // SAFETY: memory is not shared, so the child has a copy of everything, as after fork(2) in a process of one thread.
    let child = unsafe { libc::syscall(libc::SYS_clone, libc::CLONE_VFORK | libc::SIGCHLD, 0, 0, 0, 0) };
    match child {
        0 => rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::STOP)?,
        -1 => return Err(io::Error::last_os_error()),
        _ => {}
    }
    Ok("the child was let go".to_owned())
}

#[expect(
    unsafe_code,
    reason = "system calls without wrappers are the point; no pointer but null and a path is passed"
)]
fn call(number: libc::c_long, args: [libc::c_long; 5]) -> i32 {
    let [a, b, c, d, e] = args;
    // SAFETY: each caller passes numbers, null, or a static path, to calls that must be refused before they look.
    let result = unsafe { libc::syscall(number, a, b, c, d, e) };
    if result == 0 && (number == libc::SYS_clone || number == libc::SYS_clone3) {
        std::process::exit(0);
    }
    if result < 0 { io::Error::last_os_error().raw_os_error().unwrap_or(-1) } else { 0 }
}

/// Tries system calls, and names those that were not refused with the error that the filter gives.
fn calls(weaker: bool) -> String {
    let parent = libc::c_long::from(std::os::unix::process::parent_id().cast_signed());
    let path = c"/tmp".as_ptr().addr().cast_signed() as libc::c_long;
    let own = libc::SIGCHLD as libc::c_long;
    let mut tried: Vec<(&str, libc::c_long, [libc::c_long; 5], i32)> = Vec::new();
    let mut denied = |name, number, args| tried.push((name, number, args, libc::EPERM));
    denied("ptrace attach", libc::SYS_ptrace, [16, parent, 0, 0, 0]);
    denied("ptrace self", libc::SYS_ptrace, [0, 0, 0, 0, 0]);
    denied("process_vm_readv", libc::SYS_process_vm_readv, [parent, 0, 0, 0, 0]);
    denied("process_vm_writev", libc::SYS_process_vm_writev, [parent, 0, 0, 0, 0]);
    denied("pidfd_getfd", libc::SYS_pidfd_getfd, [0, 0, 0, 0, 0]);
    denied("mount", libc::SYS_mount, [path, path, path, libc::MS_BIND as libc::c_long, 0]);
    denied("umount", libc::SYS_umount2, [path, 2, 0, 0, 0]);
    denied("pivot_root", libc::SYS_pivot_root, [path, path, 0, 0, 0]);
    denied("chroot", libc::SYS_chroot, [path, 0, 0, 0, 0]);
    denied("open_tree", libc::SYS_open_tree, [-100, path, 1, 0, 0]);
    denied("fsopen", libc::SYS_fsopen, [path, 0, 0, 0, 0]);
    for flag in [libc::CLONE_NEWUSER, libc::CLONE_NEWNS, libc::CLONE_NEWPID, libc::CLONE_NEWNET] {
        let flag = libc::c_long::from(flag);
        denied("unshare", libc::SYS_unshare, [flag, 0, 0, 0, 0]);
        denied("clone", libc::SYS_clone, [flag | own, 0, 0, 0, 0]);
    }
    denied("setns", libc::SYS_setns, [0, 0, 0, 0, 0]);
    denied("keyctl", libc::SYS_keyctl, [0, -3, 1, 0, 0]);
    denied("add_key", libc::SYS_add_key, [path, path, 0, 0, -3]);
    denied("bpf", libc::SYS_bpf, [0, 0, 0, 0, 0]);
    denied("perf_event_open", libc::SYS_perf_event_open, [0, 0, -1, -1, 0]);
    denied("io_uring_setup", libc::SYS_io_uring_setup, [8, 0, 0, 0, 0]);
    denied("userfaultfd", libc::SYS_userfaultfd, [0, 0, 0, 0, 0]);
    denied("open_by_handle_at", libc::SYS_open_by_handle_at, [0, 0, 0, 0, 0]);
    denied("init_module", libc::SYS_init_module, [0, 0, 0, 0, 0]);
    denied("kexec_load", libc::SYS_kexec_load, [0, 0, 0, 0, 0]);
    denied("reboot", libc::SYS_reboot, [0, 0, 0, 0, 0]);
    denied("sethostname", libc::SYS_sethostname, [path, 4, 0, 0, 0]);
    for family in [libc::AF_NETLINK, libc::AF_PACKET, libc::AF_VSOCK, libc::AF_ALG] {
        denied("socket", libc::SYS_socket, [family.into(), libc::SOCK_DGRAM.into(), 0, 0, 0]);
    }
    denied("typing into a terminal", libc::SYS_ioctl, [0, libc::TIOCSTI as libc::c_long, path, 0, 0]);
    if weaker {
        denied(
            "internet socket",
            libc::SYS_socket,
            [libc::AF_INET.into(), libc::SOCK_STREAM.into(), 0, 0, 0],
        );
        denied("local socket", libc::SYS_socket, [libc::AF_UNIX.into(), libc::SOCK_STREAM.into(), 0, 0, 0]);
        denied("shmget", libc::SYS_shmget, [1, 4096, 0o1666, 0, 0]);
        denied("limits of another", libc::SYS_prlimit64, [parent, 7, 0, 0, 0]);
    }
    tried.push(("clone3", libc::SYS_clone3, [0, 0, 0, 0, 0], libc::ENOSYS));
    #[cfg(target_arch = "x86_64")]
    tried.push(("second table", 0x4000_0000 | libc::SYS_getpid, [0; 5], libc::ENOSYS));
    let passed = tried.into_iter().filter_map(|(name, number, args, expected)| {
        let errno = call(number, args);
        (errno != expected).then(|| format!("{name} answered {errno}"))
    });
    passed.collect::<Vec<_>>().join(", ")
}

/// An agent where namespaces are forbidden: it finds that out, says so, and fences its workload with Landlock.
fn nested() -> String {
    let exe = std::env::current_exe().unwrap();
    let support = probe(&exe);
    let mode = support.mode().unwrap();
    let strong = Fixture::new(Mode::Namespaces).run("echo started");
    let weaker = Fixture::new(Mode::Landlock);
    weaker.refused("cat $HOST/other/secret");
    weaker.expect("cat $FIXED/data", "fixed");
    assert!(Path::new("/").exists());
    format!("{} {mode:?} {:?} {}", support.namespaces, strong.exit, strong.refusal.unwrap_or_default())
}
