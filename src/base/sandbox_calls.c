/* SYS_ numbers are outside POSIX */
#define _GNU_SOURCE 1
#include "base/sandbox_calls.h"

#if defined(__linux__)

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/sandbox_linux.h"

/* Not in the headers of every libc; each number is the same on x86-64 and on
   64-bit ARM. */
enum {
	NUMBER_RSEQ_X86 = 334,
	NUMBER_RSEQ_ARM = 293,
	NUMBER_CLOSE_RANGE = 436,
	NUMBER_FACCESSAT2 = 439,
	NUMBER_EPOLL_PWAIT2 = 441,
	NUMBER_LANDLOCK = 444, /* three of them */
	NUMBER_FUTEX_WAITV = 449,

	/* From here on numbers are those of calls that came after 2018, and
	   mean the same everywhere: each libc can do without them. */
	NUMBERS_NEW = 424,
};

/* On what a process has anyway: open descriptors, memory, time, itself. */
static const uint16_t always[] = {
    /* descriptors */
    SYS_read,
    SYS_readv,
    SYS_pread64,
    SYS_preadv,
    SYS_preadv2,
    SYS_write,
    SYS_writev,
    SYS_pwrite64,
    SYS_pwritev,
    SYS_pwritev2,
    SYS_lseek,
    SYS_close,
    NUMBER_CLOSE_RANGE,
    SYS_fstat,
    SYS_newfstatat,
    SYS_statx,
    SYS_fstatfs,
    SYS_fsync,
    SYS_fdatasync,
    SYS_sync_file_range,
    SYS_ftruncate,
    SYS_fallocate,
    SYS_fadvise64,
    SYS_flock,
    SYS_sendfile,
    SYS_splice,
    SYS_copy_file_range,
    SYS_dup,
    SYS_dup3,
    SYS_pipe2,
    SYS_fchdir,
    SYS_eventfd2,
    /* sockets that are there */
    SYS_accept,
    SYS_accept4,
    SYS_sendto,
    SYS_sendmsg,
    SYS_sendmmsg,
    SYS_recvfrom,
    SYS_recvmsg,
    SYS_recvmmsg,
    SYS_shutdown,
    SYS_getsockopt,
    SYS_setsockopt,
    SYS_getsockname,
    SYS_getpeername,
    /* waiting, time */
    SYS_ppoll,
    SYS_pselect6,
    SYS_epoll_create1,
    SYS_epoll_ctl,
    SYS_epoll_pwait,
    NUMBER_EPOLL_PWAIT2,
    SYS_nanosleep,
    SYS_clock_nanosleep,
    SYS_clock_gettime,
    SYS_clock_getres,
    SYS_gettimeofday,
    SYS_times,
    SYS_getitimer,
    SYS_setitimer,
    SYS_restart_syscall,
    SYS_sched_yield,
    /* memory */
    SYS_brk,
    SYS_mmap,
    SYS_munmap,
    SYS_mremap,
    SYS_mprotect,
    SYS_madvise,
    SYS_mincore,
    SYS_msync,
    SYS_membarrier,
    /* signals and locks of its own */
    SYS_rt_sigaction,
    SYS_rt_sigprocmask,
    SYS_rt_sigreturn,
    SYS_rt_sigpending,
    SYS_rt_sigsuspend,
    SYS_rt_sigtimedwait,
    SYS_sigaltstack,
    SYS_signalfd4,
    SYS_futex,
    NUMBER_FUTEX_WAITV,
    SYS_set_robust_list,
    SYS_get_robust_list,
    SYS_set_tid_address,
    /* itself; what prctl changes is its own as well */
    SYS_getpid,
    SYS_getppid,
    SYS_gettid,
    SYS_getuid,
    SYS_geteuid,
    SYS_getgid,
    SYS_getegid,
    SYS_getresuid,
    SYS_getresgid,
    SYS_getgroups,
    SYS_getpgid,
    SYS_getsid,
    SYS_getcwd,
    SYS_chdir,
    SYS_umask,
    SYS_uname,
    SYS_sysinfo,
    SYS_getcpu,
    SYS_getrandom,
    SYS_getrusage,
    SYS_getrlimit,
    SYS_setrlimit,
    SYS_sched_getaffinity,
    SYS_sched_getparam,
    SYS_sched_getscheduler,
    SYS_prctl,
    SYS_exit,
    SYS_exit_group,
    SYS_wait4,
    SYS_waitid,
#if defined(__x86_64__)
    NUMBER_RSEQ_X86,
    SYS_arch_prctl,
    SYS_dup2,
    SYS_pipe,
    SYS_poll,
    SYS_select,
    SYS_epoll_create,
    SYS_epoll_wait,
    SYS_alarm,
    SYS_pause,
    SYS_time,
    SYS_getpgrp,
    SYS_eventfd,
    SYS_signalfd,
#else
    NUMBER_RSEQ_ARM,
#endif
};

/* Only with paths; opening is apart, below. */
static const uint16_t to_read[] = {
    SYS_getdents64,
    SYS_faccessat,
    NUMBER_FACCESSAT2,
    SYS_readlinkat,
    SYS_statfs,
#if defined(__x86_64__)
    SYS_stat,
    SYS_lstat,
    SYS_access,
    SYS_readlink,
    SYS_getdents,
#endif
};

static const uint16_t to_write[] = {
    SYS_renameat2,
    SYS_linkat,
    SYS_unlinkat,
    SYS_mkdirat,
    SYS_symlinkat,
    SYS_truncate,
    SYS_fchmod,
    SYS_fchmodat,
    SYS_fchown,
    SYS_fchownat,
    SYS_utimensat,
    SYS_renameat,
#if defined(__x86_64__)
    SYS_creat,
    SYS_rename,
    SYS_link,
    SYS_unlink,
    SYS_mkdir,
    SYS_rmdir,
    SYS_symlink,
    SYS_chmod,
    SYS_chown,
    SYS_lchown,
    SYS_utime,
    SYS_utimes,
    SYS_futimesat,
#endif
};

/* With sockets of any kind. A bound one is no way out: of local ones it is a
   file, which Landlock must allow. */
static const uint16_t to_connect[] = {
    SYS_connect,
    SYS_bind,
    SYS_socketpair,
};

static const uint16_t to_listen[] = {
    SYS_bind,
    SYS_listen,
};

static const uint16_t to_start[] = {
    SYS_execve,
    SYS_kill,
    SYS_tgkill,
    SYS_tkill,
    SYS_setpgid,
    SYS_setsid,
    SYS_socketpair,
    /* its children enter sandboxes of their own */
    NUMBER_LANDLOCK,
    NUMBER_LANDLOCK + 1,
    NUMBER_LANDLOCK + 2,
#if defined(__x86_64__)
    SYS_fork,
    SYS_vfork,
#endif
};

/* What the sanitizers need beside; see SANDBOX_IS_CHECKED. */
static const uint16_t to_check[] = {
    SYS_clone,
    SYS_ptrace,
    SYS_personality,
    SYS_process_vm_readv,
    SYS_prlimit64,
    SYS_kill,
    SYS_tgkill,
    SYS_tkill,
};

static void
set(uint8_t *actions, const uint16_t *calls, size_t count, bool allow)
{
	for (size_t i = 0; allow && i < count; i++)
		actions[calls[i]] = SANDBOX_ALLOW;
}

#define SET(actions, calls, allow) set(actions, calls, COUNT(calls), allow)

static void
set_open(uint8_t *actions, bool reads, bool writes)
{
	uint8_t open = SANDBOX_OPEN_DIRECTORY;
	uint8_t openat = SANDBOX_OPENAT_DIRECTORY;

	if (reads) {
		open = SANDBOX_OPEN_READ;
		openat = SANDBOX_OPENAT_READ;
	}
	if (writes)
		open = openat = SANDBOX_ALLOW;
#if defined(__x86_64__)
	actions[SYS_open] = open;
#else
	(void)open;
#endif
	actions[SYS_openat] = openat;
}

void
sandbox_calls(uint8_t actions[SANDBOX_CALLS], const struct sandbox *rights)
{
	unsigned may = rights->may;
	bool writes = rights->write[0] != NULL;
	bool reads = writes || rights->read[0] != NULL || SANDBOX_IS_CHECKED;
	bool starts = may & SANDBOX_START, names = may & SANDBOX_NAMES;
	bool connects = may & (SANDBOX_LOCAL | SANDBOX_NET);

	memset(actions, SANDBOX_REFUSE, SANDBOX_CALLS);
	memset(actions + NUMBERS_NEW, SANDBOX_UNKNOWN,
	    SANDBOX_CALLS - NUMBERS_NEW);
	SET(actions, always, true);
	SET(actions, to_read, reads);
	SET(actions, to_write, writes);
	SET(actions, to_connect, connects || names);
	SET(actions, to_listen, may & SANDBOX_LISTEN);
	SET(actions, to_start, starts);
	if (!starts) {
		actions[SYS_kill] = actions[SYS_tkill] = actions[SYS_tgkill] =
		    SANDBOX_SELF;
	}
	actions[SYS_socket] = SANDBOX_REFUSE;
	if (connects || (may & SANDBOX_LISTEN))
		actions[SYS_socket] = SANDBOX_SOCKET;
	if (names)
		actions[SYS_socket] = SANDBOX_ALLOW;
	actions[SYS_clone] = SANDBOX_REFUSE;
	if (names)
		actions[SYS_clone] = SANDBOX_CLONE_THREAD;
	if (starts)
		actions[SYS_clone] = SANDBOX_CLONE;
	actions[SYS_fcntl] = SANDBOX_FCNTL;
	actions[SYS_ioctl] = SANDBOX_IOCTL;
	actions[SYS_prlimit64] = SANDBOX_ZERO;
	set_open(actions, reads, writes);
	if (SANDBOX_IS_CHECKED)
		SET(actions, to_check, true);
}

#else

/* an empty file would not be ISO C */
typedef int sandbox_calls_unused;

#endif
