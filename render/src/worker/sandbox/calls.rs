//! The system calls that decoders, GStreamer and the allocator make; every other one is refused.
//!
//! Found by tracing every kind of file that the tests play, and by reading what glibc, ALSA and
//! Mesa do on paths that no file here takes. Refused calls fail with `EPERM`, as on a system that
//! does not allow them: libraries have a way around most. Code may be made executable (Orc and
//! software drivers do); what it can then ask of the kernel is this list.

use std::collections::BTreeMap;

use libc::c_long;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch,
};

use super::Reach;

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Whatever their arguments.
const ALWAYS: &[c_long] = &[
    // Memory.
    libc::SYS_brk,
    libc::SYS_madvise,
    libc::SYS_membarrier,
    libc::SYS_memfd_create,
    libc::SYS_mincore,
    libc::SYS_mmap,
    libc::SYS_mprotect,
    libc::SYS_mremap,
    libc::SYS_msync,
    libc::SYS_munmap,
    // Threads. `clone3` is refused by a filter of its own.
    libc::SYS_clone3,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_futex,
    libc::SYS_get_robust_list,
    libc::SYS_getcpu,
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_gettid,
    libc::SYS_restart_syscall,
    libc::SYS_rseq,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sched_get_priority_max,
    libc::SYS_sched_get_priority_min,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_getattr,
    libc::SYS_sched_getparam,
    libc::SYS_sched_getscheduler,
    libc::SYS_sched_setaffinity,
    libc::SYS_sched_yield,
    libc::SYS_set_robust_list,
    libc::SYS_set_tid_address,
    libc::SYS_sigaltstack,
    // Descriptors that are open.
    libc::SYS_close,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_eventfd2,
    libc::SYS_fadvise64,
    libc::SYS_fallocate,
    libc::SYS_fcntl,
    libc::SYS_fstat,
    libc::SYS_fstatfs,
    libc::SYS_ftruncate,
    libc::SYS_getdents64,
    libc::SYS_getsockopt,
    libc::SYS_lseek,
    libc::SYS_pipe2,
    libc::SYS_ppoll,
    libc::SYS_pread64,
    libc::SYS_preadv,
    libc::SYS_pselect6,
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_sendmsg,
    libc::SYS_sendto,
    libc::SYS_shutdown,
    libc::SYS_timerfd_create,
    libc::SYS_timerfd_settime,
    libc::SYS_write,
    libc::SYS_writev,
    // What files there are; whether they may be opened is Landlock's to say.
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_getcwd,
    libc::SYS_newfstatat,
    libc::SYS_readlinkat,
    libc::SYS_statx,
    // Time and the machine.
    libc::SYS_clock_getres,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_getegid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getrandom,
    libc::SYS_getrusage,
    libc::SYS_gettimeofday,
    libc::SYS_getuid,
    libc::SYS_nanosleep,
    libc::SYS_sysinfo,
    libc::SYS_times,
    libc::SYS_uname,
];

/// Names that newer machines, aarch64 among them, have never had.
#[cfg(target_arch = "x86_64")]
const OF_THE_MACHINE: &[c_long] = &[
    libc::SYS_access,
    libc::SYS_arch_prctl,
    libc::SYS_dup2,
    libc::SYS_epoll_wait,
    libc::SYS_getdents,
    libc::SYS_getrlimit,
    libc::SYS_lstat,
    libc::SYS_pipe,
    libc::SYS_poll,
    libc::SYS_readlink,
    libc::SYS_select,
    libc::SYS_stat,
    libc::SYS_time,
];
#[cfg(not(target_arch = "x86_64"))]
const OF_THE_MACHINE: &[c_long] = &[];

/// ALSA lets several programs share a device by memory and semaphores.
const SOUND: &[c_long] = &[
    libc::SYS_semctl,
    libc::SYS_semget,
    libc::SYS_semop,
    libc::SYS_semtimedop,
    libc::SYS_shmat,
    libc::SYS_shmctl,
    libc::SYS_shmdt,
    libc::SYS_shmget,
];

/// A sound server is spoken to over a socket.
const SOUND_SERVER: &[c_long] =
    &[libc::SYS_connect, libc::SYS_getpeername, libc::SYS_getsockname, libc::SYS_setsockopt];

/// Opening that changes a file or makes one. `O_RDWR` is for devices and not among them; the bit
/// of `O_TMPFILE` is taken without that of `O_DIRECTORY`.
const OPENS_TO_CHANGE: u64 =
    (libc::O_WRONLY | libc::O_CREAT | libc::O_TRUNC | (libc::O_TMPFILE & !libc::O_DIRECTORY))
        as u64;

/// A thread of this process, in no namespace but its own.
const THREAD: u64 = libc::CLONE_THREAD as u64;
const NEW_NAMESPACE: u64 = (libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWUTS) as u64;

/// Naming threads and mappings, and when timers ring.
const PRCTL: [libc::c_int; 4] =
    [libc::PR_SET_NAME, libc::PR_GET_NAME, libc::PR_SET_TIMERSLACK, libc::PR_SET_VMA];

/// Refuses, from now on and in every thread, what is not on the list.
pub fn shut(reach: Reach) -> Result<(), seccompiler::Error> {
    // The flags of this one lie in memory that a filter cannot read. Told that there is no such
    // call, glibc makes threads by the older one, whose flags are checked.
    let newer = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
    let newer = program(newer, SeccompAction::Allow, refuse(libc::ENOSYS))?;
    let list = rules(reach, std::process::id())?;
    let list = program(list, refuse(libc::EPERM), SeccompAction::Allow)?;
    // The list comes last: it has no call to add another one.
    seccompiler::apply_filter_all_threads(&newer)?;
    seccompiler::apply_filter_all_threads(&list)
}

fn refuse(error: libc::c_int) -> SeccompAction {
    SeccompAction::Errno(error.unsigned_abs())
}

fn program(
    rules: Rules,
    otherwise: SeccompAction,
    listed: SeccompAction,
) -> Result<BpfProgram, BackendError> {
    let machine = TargetArch::try_from(std::env::consts::ARCH)?;
    SeccompFilter::new(rules, otherwise, listed, machine)?.try_into()
}

fn rules(reach: Reach, own_pid: u32) -> Result<Rules, BackendError> {
    let sound = if reach >= Reach::Devices { SOUND } else { &[] };
    let server = if reach >= Reach::Server { SOUND_SERVER } else { &[] };
    let always = [ALWAYS, OF_THE_MACHINE, sound, server].concat();
    let mut rules: Rules = always.into_iter().map(|call| (call, Vec::new())).collect();
    let own = u64::from(own_pid);
    rules.insert(libc::SYS_openat, vec![masked(2, OPENS_TO_CHANGE, 0)?]);
    #[cfg(target_arch = "x86_64")]
    rules.insert(libc::SYS_open, vec![masked(1, OPENS_TO_CHANGE, 0)?]);
    rules.insert(libc::SYS_clone, vec![masked(0, THREAD | NEW_NAMESPACE, THREAD)?]);
    // Two ends that this process has alone: how GStreamer's queues wake each other.
    rules.insert(libc::SYS_socketpair, vec![is(0, libc::AF_UNIX as u64)?]);
    rules.insert(libc::SYS_kill, vec![is(0, own)?]);
    rules.insert(libc::SYS_tgkill, vec![is(0, own)?]);
    // To ask, not to set.
    rules.insert(libc::SYS_prlimit64, vec![null(2)?]);
    // Words put into a terminal's mouth.
    let typed = [libc::TIOCSTI, libc::TIOCLINUX].map(|request| is_not(1, request));
    rules.insert(libc::SYS_ioctl, vec![all(typed)?]);
    let allowed = PRCTL.map(|option| is(0, u64::from(option.unsigned_abs())));
    rules.insert(libc::SYS_prctl, allowed.into_iter().collect::<Result<_, _>>()?);
    if reach >= Reach::Server {
        rules.insert(libc::SYS_socket, vec![is(0, libc::AF_UNIX as u64)?]);
    }
    Ok(rules)
}

fn condition(
    argument: u8,
    operator: SeccompCmpOp,
    value: u64,
) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value)
}

fn all<const N: usize>(
    conditions: [Result<SeccompCondition, BackendError>; N],
) -> Result<SeccompRule, BackendError> {
    SeccompRule::new(conditions.into_iter().collect::<Result<_, _>>()?)
}

fn is(argument: u8, value: u64) -> Result<SeccompRule, BackendError> {
    all([condition(argument, SeccompCmpOp::Eq, value)])
}

fn is_not(argument: u8, value: u64) -> Result<SeccompCondition, BackendError> {
    condition(argument, SeccompCmpOp::Ne, value)
}

fn masked(argument: u8, mask: u64, value: u64) -> Result<SeccompRule, BackendError> {
    all([condition(argument, SeccompCmpOp::MaskedEq(mask), value)])
}

/// A pointer to nothing, whole.
fn null(argument: u8) -> Result<SeccompRule, BackendError> {
    SeccompRule::new(vec![SeccompCondition::new(
        argument,
        SeccompCmpArgLen::Qword,
        SeccompCmpOp::Eq,
        0,
    )?])
}
