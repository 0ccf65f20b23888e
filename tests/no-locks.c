/* no-locks PROGRAM ARGUMENT…: runs it where the kernel refuses locks on open file descriptions, as some file systems do. Exits 77 where that
 * cannot be had. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#if defined(__linux__) && defined(F_OFD_SETLK) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

static int
refuse_locks(void)
{
	/* fcntl with one of the three commands fails; all else goes on. */
	struct sock_filter program[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fcntl, 0, 4),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, F_OFD_GETLK, 0, 2),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, F_OFD_SETLKW, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOLCK),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = { sizeof(program) / sizeof(*program), program };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) ? -1 : 0;
}
#else
static int
refuse_locks(void)
{
	return -1;
}
#endif

int
main(int argc, char **argv)
{
	if (argc < 2)
		return 99;
	if (refuse_locks())
		return 77;
	execv(argv[1], argv + 1);
	perror(argv[1]);
	return 99;
}
