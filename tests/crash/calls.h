/* Names of system calls and of their errors, for tests/crash/stopper.c. */
#ifndef CALLS_H
#define CALLS_H

#include <errno.h>
#include <stddef.h>
#include <sys/syscall.h>

/* Calls by their names, and the kind that one can have fail. Another machine does not have all of these, and
 * <sys/syscall.h> has no list: there calls are told by their numbers. */
static const struct call {
	const char *name, *kind;
	long nr;
} calls[] = {
#ifdef __x86_64__
	{ "access", "", SYS_access },
	{ "arch_prctl", "", SYS_arch_prctl },
	{ "brk", "mmap", SYS_brk },
	{ "chdir", "", SYS_chdir },
	{ "clock_nanosleep", "", SYS_clock_nanosleep },
	{ "clone", "spawn", SYS_clone },
	{ "clone3", "spawn", SYS_clone3 },
	{ "close", "", SYS_close },
	{ "close_range", "", SYS_close_range },
	{ "copy_file_range", "", SYS_copy_file_range },
	{ "dup", "", SYS_dup },
	{ "dup2", "", SYS_dup2 },
	{ "dup3", "", SYS_dup3 },
	{ "execve", "", SYS_execve },
	{ "exit", "", SYS_exit },
	{ "exit_group", "", SYS_exit_group },
	{ "faccessat", "", SYS_faccessat },
	{ "faccessat2", "", SYS_faccessat2 },
	{ "fchdir", "", SYS_fchdir },
	{ "fchmodat", "", SYS_fchmodat },
	{ "fcntl", "", SYS_fcntl },
	{ "fdatasync", "fsync", SYS_fdatasync },
	{ "flock", "", SYS_flock },
	{ "fork", "spawn", SYS_fork },
	{ "fstat", "", SYS_fstat },
	{ "fstatfs", "", SYS_fstatfs },
	{ "fsync", "fsync", SYS_fsync },
	{ "ftruncate", "", SYS_ftruncate },
	{ "futex", "", SYS_futex },
	{ "getdents64", "", SYS_getdents64 },
	{ "getpid", "", SYS_getpid },
	{ "getrandom", "", SYS_getrandom },
	{ "ioctl", "", SYS_ioctl },
	{ "kill", "", SYS_kill },
	{ "linkat", "rename", SYS_linkat },
	{ "lseek", "", SYS_lseek },
	{ "memfd_create", "open", SYS_memfd_create },
	{ "mkdir", "", SYS_mkdir },
	{ "mkdirat", "mkdir", SYS_mkdirat },
	{ "mknod", "mkdir", SYS_mknod },
	{ "mknodat", "mkdir", SYS_mknodat },
	{ "mmap", "mmap", SYS_mmap },
	{ "mprotect", "", SYS_mprotect },
	{ "mremap", "mmap", SYS_mremap },
	{ "munmap", "", SYS_munmap },
	{ "newfstatat", "", SYS_newfstatat },
	{ "open", "open", SYS_open },
	{ "openat", "open", SYS_openat },
	{ "openat2", "open", SYS_openat2 },
	{ "pidfd_open", "open", SYS_pidfd_open },
	{ "pidfd_send_signal", "", SYS_pidfd_send_signal },
	{ "pipe", "open", SYS_pipe },
	{ "pipe2", "open", SYS_pipe2 },
	{ "poll", "", SYS_poll },
	{ "ppoll", "", SYS_ppoll },
	{ "prctl", "", SYS_prctl },
	{ "pread64", "read", SYS_pread64 },
	{ "prlimit64", "", SYS_prlimit64 },
	{ "pwrite64", "write", SYS_pwrite64 },
	{ "read", "read", SYS_read },
	{ "readlink", "", SYS_readlink },
	{ "readlinkat", "", SYS_readlinkat },
	{ "recvmsg", "", SYS_recvmsg },
	{ "rename", "rename", SYS_rename },
	{ "renameat", "rename", SYS_renameat },
	{ "renameat2", "rename", SYS_renameat2 },
	{ "rmdir", "unlink", SYS_rmdir },
	{ "rseq", "", SYS_rseq },
	{ "rt_sigaction", "", SYS_rt_sigaction },
	{ "rt_sigprocmask", "", SYS_rt_sigprocmask },
	{ "rt_sigreturn", "", SYS_rt_sigreturn },
	{ "sched_getaffinity", "", SYS_sched_getaffinity },
	{ "sendmsg", "", SYS_sendmsg },
	{ "set_robust_list", "", SYS_set_robust_list },
	{ "set_tid_address", "", SYS_set_tid_address },
	{ "setsid", "", SYS_setsid },
	{ "socketpair", "open", SYS_socketpair },
	{ "statx", "stat", SYS_statx },
	{ "sync_file_range", "fsync", SYS_sync_file_range },
	{ "sysinfo", "", SYS_sysinfo },
	{ "tgkill", "", SYS_tgkill },
	{ "unlink", "unlink", SYS_unlink },
	{ "unlinkat", "unlink", SYS_unlinkat },
	{ "utimensat", "", SYS_utimensat },
	{ "vfork", "spawn", SYS_vfork },
	{ "wait4", "", SYS_wait4 },
	{ "waitid", "", SYS_waitid },
	{ "write", "write", SYS_write },
	{ "writev", "", SYS_writev },
#endif
	{ NULL, NULL, -1 },
};

static const struct {
	const char *name;
	int value;
} errnos[] = {
	{ "EAGAIN", EAGAIN }, { "EDQUOT", EDQUOT }, { "EINTR", EINTR },   { "EIO", EIO },
	{ "EMFILE", EMFILE }, { "ENFILE", ENFILE }, { "ENOMEM", ENOMEM }, { "ENOSPC", ENOSPC },
	{ "EROFS", EROFS },   { "short", 0 }, /* of a write */
};

#endif
