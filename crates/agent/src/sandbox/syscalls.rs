//! System calls that a workload may not use. A list of what is refused, since a workload is any program.

use std::collections::BTreeMap;
use std::io;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch, sock_filter,
};

use super::fence;
use super::spec::{Mode, SandboxSpec};

/// Refused whatever their arguments: other processes' memory, mounts, namespaces, keys, the kernel itself, and
/// interfaces by which other refusals can be passed by.
const DENIED: &[libc::c_long] = &[
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_process_mrelease,
    libc::SYS_kcmp,
    libc::SYS_pidfd_getfd,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    OPEN_TREE_ATTR,
    libc::SYS_setns,
    libc::SYS_unshare,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_userfaultfd,
    libc::SYS_open_by_handle_at,
    libc::SYS_fanotify_init,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_reboot,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_syslog,
    libc::SYS_vhangup,
    libc::SYS_lookup_dcookie,
];

/// Linux 6.15, not yet named by the C library's bindings.
const OPEN_TREE_ATTR: libc::c_long = 467;

/// Without a namespace for it, what is shared by all processes of the machine.
const DENIED_SHARED_IPC: &[libc::c_long] = &[
    libc::SYS_shmget,
    libc::SYS_shmat,
    libc::SYS_shmctl,
    libc::SYS_semget,
    libc::SYS_semop,
    libc::SYS_semtimedop,
    libc::SYS_semctl,
    libc::SYS_msgget,
    libc::SYS_msgsnd,
    libc::SYS_msgrcv,
    libc::SYS_msgctl,
    libc::SYS_mq_open,
    libc::SYS_mq_unlink,
];

/// With the agent's own user id: the process that they change is named by the first argument here.
const DENIED_OTHER_FIRST: &[libc::c_long] = &[
    libc::SYS_sched_setaffinity,
    libc::SYS_sched_setscheduler,
    libc::SYS_sched_setparam,
    libc::SYS_sched_setattr,
    libc::SYS_migrate_pages,
    libc::SYS_move_pages,
];
/// The same, named by the second.
const DENIED_OTHER_SECOND: &[libc::c_long] = &[libc::SYS_setpriority, libc::SYS_ioprio_set];

/// The same: Landlock leaves mode, times and attributes of a file alone, and the agent's files belong to this user too.
/// Calls on a descriptor stay, as to open a file is Landlock's business.
const DENIED_PATH_ATTRIBUTES: &[libc::c_long] = &[
    #[cfg(target_arch = "x86_64")]
    libc::SYS_chmod,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_utime,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_utimes,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_futimesat,
    libc::SYS_fchmodat,
    libc::SYS_fchmodat2,
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    SETXATTRAT,
    REMOVEXATTRAT,
    FILE_SETATTR,
];
/// Linux 6.13 and 6.17, not yet named by the C library's bindings.
const SETXATTRAT: libc::c_long = 463;
const REMOVEXATTRAT: libc::c_long = 466;
const FILE_SETATTR: libc::c_long = 469;

const SIGNALS: &[libc::c_long] = &[
    libc::SYS_tkill,
    libc::SYS_tgkill,
    libc::SYS_rt_sigqueueinfo,
    libc::SYS_rt_tgsigqueueinfo,
    libc::SYS_pidfd_send_signal,
];

const NAMESPACES: &[libc::c_int] = &[
    libc::CLONE_NEWNS,
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
];

/// What the filter must do that the rest of the fence does not.
#[derive(Debug, Clone, Copy)]
pub(super) struct Policy {
    /// Internet sockets may be made.
    inet: bool,
    /// Local sockets with names may be made.
    unix: bool,
    /// Processes and shared memory of the host are in reach.
    host_processes: bool,
    /// The agent's processes have the same user.
    shared_user: bool,
    /// Nothing else keeps signals within the fence.
    signals: bool,
}

impl Policy {
    /// For a workload on a kernel with this version of Landlock.
    pub(super) fn of(spec: &SandboxSpec, landlock: u32) -> Self {
        let weaker = spec.mode == Mode::Landlock;
        let shared_user = weaker && spec.uid.is_none();
        Self {
            inet: spec.network || !weaker,
            // With the host's network come its abstract sockets; with its files, sockets such as a container engine's.
            unix: match (weaker, spec.network) {
                (false, false) => true,
                (false, true) => landlock >= fence::SCOPES,
                (true, _) => landlock >= fence::UNIX_PATHS,
            },
            host_processes: weaker,
            shared_user,
            signals: shared_user && landlock < fence::SCOPES,
        }
    }

    /// Refuses these calls to this process and all it starts, for ever. Sets no_new_privs.
    pub(super) fn enforce(self) -> io::Result<()> {
        for program in self.programs()? {
            seccompiler::apply_filter(&program).map_err(io::Error::other)?;
        }
        Ok(())
    }

    fn programs(self) -> io::Result<[BpfProgram; 2]> {
        let mut rules = Rules::default();
        rules.always(DENIED);
        for flag in NAMESPACES {
            let flag = u64::from(flag.unsigned_abs());
            rules.when(libc::SYS_clone, &[(0, SeccompCmpOp::MaskedEq(flag), flag)])?;
        }
        self.sockets(&mut rules)?;
        // Typing into a terminal that was inherited.
        for request in [libc::TIOCSTI, libc::TIOCLINUX] {
            rules.when(libc::SYS_ioctl, &[(1, SeccompCmpOp::Eq, request)])?;
        }
        if self.host_processes {
            rules.always(DENIED_SHARED_IPC);
            rules.when(libc::SYS_prlimit64, &[(0, SeccompCmpOp::Ne, 0)])?;
        }
        if self.shared_user {
            rules.always(DENIED_PATH_ATTRIBUTES);
            // Without a path it means the descriptor.
            rules.when(libc::SYS_utimensat, &[(1, SeccompCmpOp::Ne, 0)])?;
            for number in DENIED_OTHER_FIRST {
                rules.when(*number, &[(0, SeccompCmpOp::Ne, 0)])?;
            }
            for number in DENIED_OTHER_SECOND {
                rules.when(*number, &[(1, SeccompCmpOp::Ne, 0)])?;
            }
        }
        if self.signals {
            // To the own process group only.
            rules.always(SIGNALS);
            rules.when(libc::SYS_kill, &[(0, SeccompCmpOp::Ne, 0)])?;
            for command in [libc::F_SETOWN, F_SETSIG, F_SETOWN_EX] {
                rules.when(libc::SYS_fcntl, &[(1, SeccompCmpOp::Eq, u64::from(command.unsigned_abs()))])?;
            }
        }
        // clone3 passes its flags in memory, where a filter cannot see them; told that it does not exist, the C library
        // uses clone.
        let mut absent = Rules::default();
        absent.always(&[libc::SYS_clone3]);
        Ok([rules.compile(libc::EPERM)?, absent.compile(libc::ENOSYS)?])
    }

    fn sockets(self, rules: &mut Rules) -> io::Result<()> {
        let inet = [libc::AF_INET, libc::AF_INET6];
        let unix = [libc::AF_UNIX];
        let allowed = inet.iter().filter(|_| self.inet).chain(unix.iter().filter(|_| self.unix));
        let others: Vec<_> =
            allowed.map(|family| (0, SeccompCmpOp::Ne, u64::from(family.unsigned_abs()))).collect();
        if others.is_empty() {
            rules.always(&[libc::SYS_socket]);
            return Ok(());
        }
        rules.when(libc::SYS_socket, &others)
    }
}

const F_SETSIG: libc::c_int = 10;
const F_SETOWN_EX: libc::c_int = 15;

#[derive(Default)]
struct Rules(BTreeMap<i64, Vec<SeccompRule>>);

impl Rules {
    fn always(&mut self, numbers: &[libc::c_long]) {
        self.0.extend(numbers.iter().map(|number| (*number, Vec::new())));
    }

    /// Refuses a call when all of these hold: argument, comparison, value.
    fn when(&mut self, number: libc::c_long, all: &[(u8, SeccompCmpOp, u64)]) -> io::Result<()> {
        let conditions = all
            .iter()
            .map(|(arg, op, value)| SeccompCondition::new(*arg, SeccompCmpArgLen::Dword, op.clone(), *value))
            .collect::<Result<Vec<_>, _>>()
            .and_then(SeccompRule::new)
            .map_err(io::Error::other)?;
        self.0.entry(number).or_default().push(conditions);
        Ok(())
    }

    fn compile(self, errno: libc::c_int) -> io::Result<BpfProgram> {
        let arch = TargetArch::try_from(std::env::consts::ARCH).map_err(io::Error::other)?;
        let refuse = SeccompAction::Errno(errno.unsigned_abs());
        let filter =
            SeccompFilter::new(self.0, SeccompAction::Allow, refuse, arch).map_err(io::Error::other)?;
        let filter: BpfProgram = filter.try_into().map_err(io::Error::other)?;
        Ok(NO_SECOND_TABLE.into_iter().chain(filter).collect())
    }
}

/// On x86-64 the kernel may offer the same calls a second time under numbers with bit 30 set (the x32 table), which a
/// list of numbers does not name. All of them are refused with ENOSYS, as on a kernel without that table. Load the
/// number; with the bit go on to the refusal, else skip it.
const NO_SECOND_TABLE: [sock_filter; 3] = [
    sock_filter { code: 0x20, jt: 0, jf: 0, k: 0 },
    sock_filter { code: 0x45, jt: 0, jf: 1, k: 0x4000_0000 },
    sock_filter { code: 0x06, jt: 0, jf: 0, k: 0x0005_0000 | 38 },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::Limits;

    const ALLOW: u32 = 0x7fff_0000;
    const REFUSE: u32 = 0x0005_0000 | libc::EPERM.unsigned_abs();

    fn spec(mode: Mode, network: bool, uid: Option<u32>) -> SandboxSpec {
        let limits = Limits { cpus_milli: 0, memory_bytes: 0, pids: 0, disk_bytes: 0, open_files: 0 };
        SandboxSpec {
            command: String::new(),
            env: BTreeMap::new(),
            workdir: "/".into(),
            binds: Vec::new(),
            executable: "/".into(),
            root: "/".into(),
            devices: Vec::new(),
            network,
            limits,
            mode,
            uid,
        }
    }

    /// What the kernel would answer: the instructions of seccomp(2) that these programs use.
    fn interpret(program: &[sock_filter], number: libc::c_long, args: [u64; 2]) -> u32 {
        let arch = match std::env::consts::ARCH {
            "x86_64" => 0xc000_003eu32,
            _ => 0xc000_00b7,
        };
        let mut data = vec![number as u32, arch, 0, 0];
        data.extend(args.iter().flat_map(|arg| [*arg as u32, (*arg >> 32) as u32]));
        data.resize(16, 0);
        let (mut at, mut held) = (0, 0u32);
        loop {
            let step = &program[at];
            at += 1;
            let jump = |yes: bool| usize::from(if yes { step.jt } else { step.jf });
            match step.code {
                0x20 => held = data[step.k as usize / 4],
                0x54 => held &= step.k,
                0x05 => at += step.k as usize,
                0x15 => at += jump(held == step.k),
                0x25 => at += jump(held > step.k),
                0x35 => at += jump(held >= step.k),
                0x45 => at += jump(held & step.k != 0),
                0x06 => return step.k,
                other => panic!("instruction {other:#x}"),
            }
        }
    }

    fn answer(policy: Policy, number: libc::c_long, args: [u64; 2]) -> u32 {
        let [first, second] = policy.programs().unwrap();
        interpret(&first, number, args).min(interpret(&second, number, args))
    }

    #[test]
    fn policy_without_scopes_keeps_signals_from_the_agent_of_the_same_user() {
        let old = Policy::of(&spec(Mode::Landlock, false, None), 5);
        let new = Policy::of(&spec(Mode::Landlock, false, None), 6);
        let own = Policy::of(&spec(Mode::Landlock, false, Some(300_000)), 5);
        let inner = Policy::of(&spec(Mode::Namespaces, false, None), 0);
        for (number, args) in
            [(libc::SYS_kill, [77, 9]), (libc::SYS_tgkill, [77, 77]), (libc::SYS_fcntl, [1, 8])]
        {
            assert_eq!(answer(old, number, args), REFUSE);
            for policy in [new, own, inner] {
                assert_eq!(answer(policy, number, args), ALLOW);
            }
        }
        assert_eq!(answer(old, libc::SYS_kill, [0, 15]), ALLOW);
    }

    #[test]
    fn policy_lets_only_those_sockets_be_made_that_the_rest_of_the_fence_holds() {
        let (weaker, strong) = (Mode::Landlock, Mode::Namespaces);
        for (mode, network, landlock, families) in [
            (strong, false, 0, [true, true]),
            (strong, true, 5, [true, false]),
            (strong, true, 6, [true, true]),
            (weaker, false, 8, [false, false]),
            (weaker, true, 8, [true, false]),
            (weaker, true, 9, [true, true]),
        ] {
            let policy = Policy::of(&spec(mode, network, Some(1)), landlock);
            let made = [libc::AF_INET, libc::AF_UNIX]
                .map(|family| answer(policy, libc::SYS_socket, [family.unsigned_abs().into(), 1]) == ALLOW);
            assert_eq!(made, families, "{mode:?} {network} {landlock}");
            assert_eq!(answer(policy, libc::SYS_socket, [libc::AF_NETLINK.unsigned_abs().into(), 3]), REFUSE);
        }
    }

    #[test]
    fn policy_refuses_new_namespaces_and_lets_ordinary_calls_pass() {
        let policy = Policy::of(&spec(Mode::Namespaces, false, None), 7);
        let plain = libc::SIGCHLD.unsigned_abs().into();
        assert_eq!(answer(policy, libc::SYS_clone, [plain, 0]), ALLOW);
        assert_eq!(answer(policy, libc::SYS_clone, [plain | libc::CLONE_NEWUSER as u64, 0]), REFUSE);
        assert_eq!(answer(policy, libc::SYS_clone3, [0, 0]), 0x0005_0000 | libc::ENOSYS.unsigned_abs());
        for number in [libc::SYS_openat, libc::SYS_execve, libc::SYS_fchmodat, libc::SYS_prlimit64] {
            assert_eq!(answer(policy, number, [77, 1]), ALLOW);
        }
    }
}
