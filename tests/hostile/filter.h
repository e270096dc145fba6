/*
 * filter.h - seccomp filters: some system calls get one answer, all others
 * another.
 */
#pragma once

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>

#include "hostile.h"

#define FILTER_MOST 40

#define ANSWER(error) (SECCOMP_RET_ERRNO | (error))

struct filter {
	struct sock_filter code[FILTER_MOST];
	struct sock_fprog program;
};

static void filter_make(struct filter *f, const int *calls, int n,
	unsigned theirs, unsigned others)
{
	struct sock_filter *code = f->code;
	int at = 0;

	MUST(n + 6 <= FILTER_MOST);
	code[at++] = (struct sock_filter)BPF_STMT(
		BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
	code[at++] = (struct sock_filter)BPF_JUMP(
		BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0);
	code[at++] = (struct sock_filter)BPF_STMT(
		BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	code[at++] = (struct sock_filter)BPF_STMT(
		BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (int i = 0; i < n; i++)
		code[at++] = (struct sock_filter)BPF_JUMP(
			BPF_JMP | BPF_JEQ | BPF_K, (unsigned)calls[i],
			(unsigned char)(n - i), 0);
	code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, others);
	code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, theirs);
	f->program = (struct sock_fprog){ (unsigned short)at, code };
}
