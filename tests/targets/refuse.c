/*
 * refuse.c - run a program to which the kernel refuses something.
 *
 * refuse mdwe|mremap PROGRAM [ARGUMENT...]
 *   mdwe: code that was not mapped as such (PR_SET_MDWE; exit status 77 where
 *   the kernel does not have it). mremap: that call, with EACCES.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef PR_SET_MDWE
#define PR_SET_MDWE 65
#define PR_MDWE_REFUSE_EXEC_GAIN 1
#endif

static int no_gain_of_exec(void)
{
	return prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0);
}

static int no_mremap(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mremap, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EACCES),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = { sizeof(code) / sizeof(code[0]), code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return -1;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter);
}

int main(int argc, char **argv)
{
	int failed;

	if (argc < 3)
		return 2;
	failed = strcmp(argv[1], "mdwe") == 0 ? no_gain_of_exec() : no_mremap();
	if (failed)
		return errno == EINVAL ? 77 : 1;
	execv(argv[2], argv + 2);
	return 1;
}
