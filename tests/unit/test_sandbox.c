/* test_sandbox.c - what filters of various kinds would do about our calls. */
#include "pp.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "sandbox.h"

#include "test.h"

#define LOAD(member)                       \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, \
		offsetof(struct seccomp_data, member))
#define IF_EQUAL(value, jt, jf) \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), (jt), (jf))
#define ANSWER(value) BPF_STMT(BPF_RET | BPF_K, (value))

#define HURTS(...)                                                     \
	({                                                             \
		struct sock_filter code[] = { __VA_ARGS__ };           \
		struct sock_fprog whole = { .len = PP_ARRAY_LEN(code), \
			.filter = code };                              \
                                                                       \
		sandbox_hurts(&whole);                                 \
	})

/* One call gets an answer, all others are allowed. */
#define ONE(number, told)                                     \
	HURTS(LOAD(nr), IF_EQUAL(number, 0, 1), ANSWER(told), \
		ANSWER(SECCOMP_RET_ALLOW))

TEST(answers_that_hurt)
{
	CHECK(!HURTS(ANSWER(SECCOMP_RET_ALLOW)));
	CHECK(!HURTS(ANSWER(SECCOMP_RET_LOG)));
	CHECK(HURTS(ANSWER(SECCOMP_RET_KILL_PROCESS)));
	CHECK(HURTS(ANSWER(SECCOMP_RET_KILL_THREAD)));
	CHECK(HURTS(ANSWER(SECCOMP_RET_TRAP | 7)));
	CHECK(HURTS(ANSWER(SECCOMP_RET_USER_NOTIF)));
}

TEST(calls_of_ours_and_of_others)
{
	CHECK(ONE(SYS_getpid, SECCOMP_RET_KILL_PROCESS));
	CHECK(ONE(SYS_timer_settime, SECCOMP_RET_TRAP));
	CHECK(ONE(SYS_renameat2, SECCOMP_RET_KILL_THREAD));
	CHECK(!ONE(SYS_renameat2, SECCOMP_RET_ERRNO));
	CHECK(!ONE(SYS_reboot, SECCOMP_RET_KILL_PROCESS));
	CHECK(!ONE(SYS_execve, SECCOMP_RET_KILL_PROCESS));
}

TEST(what_a_handler_needs_must_work)
{
	CHECK(!ONE(SYS_openat, SECCOMP_RET_ERRNO | 1));
	CHECK(!ONE(SYS_openat, SECCOMP_RET_TRACE));
	CHECK(ONE(SYS_rt_sigreturn, SECCOMP_RET_ERRNO | 1));
	CHECK(ONE(SYS_rt_sigaction, SECCOMP_RET_TRACE));
	CHECK(ONE(SYS_exit, SECCOMP_RET_ERRNO | 1));
	CHECK(!ONE(SYS_exit, SECCOMP_RET_LOG));
}

TEST(another_architecture_is_not_ours)
{
	CHECK(!HURTS(LOAD(arch), IF_EQUAL(AUDIT_ARCH_X86_64, 1, 0),
		ANSWER(SECCOMP_RET_KILL_PROCESS), ANSWER(SECCOMP_RET_ALLOW)));
	CHECK(HURTS(LOAD(arch), IF_EQUAL(AUDIT_ARCH_I386, 1, 0),
		ANSWER(SECCOMP_RET_KILL_PROCESS), ANSWER(SECCOMP_RET_ALLOW)));
}

/* Files may be read; to open one for writing is the end. */
TEST(arguments_count)
{
	CHECK(HURTS(LOAD(nr), IF_EQUAL(SYS_openat, 0, 3), LOAD(args[2]),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 3, 0, 1),
		ANSWER(SECCOMP_RET_KILL_PROCESS), ANSWER(SECCOMP_RET_ALLOW)));
	CHECK(HURTS(LOAD(nr), IF_EQUAL(SYS_mprotect, 0, 3), LOAD(args[2]),
		IF_EQUAL(PROT_READ | PROT_WRITE, 0, 1),
		ANSWER(SECCOMP_RET_KILL_PROCESS), ANSWER(SECCOMP_RET_ALLOW)));
	CHECK(!HURTS(LOAD(nr), IF_EQUAL(SYS_mprotect, 0, 3), LOAD(args[2]),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 1),
		ANSWER(SECCOMP_RET_KILL_PROCESS), ANSWER(SECCOMP_RET_ALLOW)));
}

#define SET(value) BPF_STMT(BPF_LD | BPF_IMM, (value))
#define ALU(op, value) BPF_STMT(BPF_ALU | (op) | BPF_K, (value))
#define ENDS_WITH(value)                                    \
	IF_EQUAL((value), 0, 1), ANSWER(SECCOMP_RET_ALLOW), \
		ANSWER(SECCOMP_RET_KILL_PROCESS)

TEST(arithmetic_is_the_kernels)
{
	CHECK(!HURTS(SET(7), ALU(BPF_ADD, 5), ENDS_WITH(12)));
	CHECK(!HURTS(SET(7), ALU(BPF_SUB, 8), ENDS_WITH(UINT32_MAX)));
	CHECK(!HURTS(SET(7), ALU(BPF_MUL, 5), ENDS_WITH(35)));
	CHECK(!HURTS(SET(7), ALU(BPF_DIV, 2), ENDS_WITH(3)));
	CHECK(!HURTS(SET(7), ALU(BPF_AND, 10), ENDS_WITH(2)));
	CHECK(!HURTS(SET(7), ALU(BPF_OR, 8), ENDS_WITH(15)));
	CHECK(!HURTS(SET(7), ALU(BPF_XOR, 5), ENDS_WITH(2)));
	CHECK(!HURTS(SET(7), ALU(BPF_LSH, 2), ENDS_WITH(28)));
	CHECK(!HURTS(SET(7), ALU(BPF_RSH, 1), ENDS_WITH(3)));
	CHECK(!HURTS(SET(7), ALU(BPF_NEG, 0), ENDS_WITH((uint32_t)-7)));
	CHECK(HURTS(SET(7), ALU(BPF_ADD, 5), ENDS_WITH(11)));
}

TEST(registers_and_memory)
{
	CHECK(!HURTS(SET(7), BPF_STMT(BPF_MISC | BPF_TAX, 0), SET(5),
		BPF_STMT(BPF_ALU | BPF_ADD | BPF_X, 0), ENDS_WITH(12)));
	CHECK(!HURTS(SET(9), BPF_STMT(BPF_ST, 3), SET(0),
		BPF_STMT(BPF_LD | BPF_MEM, 3), ENDS_WITH(9)));
	CHECK(!HURTS(BPF_STMT(BPF_LDX | BPF_IMM, 4), BPF_STMT(BPF_STX, 2),
		SET(0), BPF_STMT(BPF_LD | BPF_MEM, 2), ENDS_WITH(4)));
	CHECK(!HURTS(BPF_STMT(BPF_LDX | BPF_IMM, 4),
		BPF_STMT(BPF_MISC | BPF_TXA, 0), ENDS_WITH(4)));
	CHECK(!HURTS(BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
		ENDS_WITH(sizeof(struct seccomp_data))));
	CHECK(!HURTS(SET(SECCOMP_RET_ALLOW), BPF_STMT(BPF_RET | BPF_A, 0)));
	CHECK(HURTS(SET(SECCOMP_RET_TRAP), BPF_STMT(BPF_RET | BPF_A, 0)));
}

TEST(nonsense_hurts)
{
	struct sock_fprog program = { .len = 0 };
	struct sock_filter allow = ANSWER(SECCOMP_RET_ALLOW);

	CHECK(sandbox_hurts(&program));
	program = (struct sock_fprog){ .len = 1, .filter = &allow };
	CHECK(!sandbox_hurts(&program));
	program.len = 5000;
	CHECK(sandbox_hurts(&program));
	program = (struct sock_fprog){ .len = 1,
		.filter = (struct sock_filter *)8 };
	CHECK(sandbox_hurts(&program));
	CHECK(sandbox_hurts((void *)16));
	CHECK(HURTS(SET(1))); /* no end */
	CHECK(HURTS(
		BPF_STMT(BPF_JMP | BPF_JA, 100), ANSWER(SECCOMP_RET_ALLOW)));
	CHECK(HURTS(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64),
		ANSWER(SECCOMP_RET_ALLOW)));
	CHECK(HURTS(ALU(BPF_DIV, 0), ANSWER(SECCOMP_RET_ALLOW)));
}

int main(void)
{
	RUN(answers_that_hurt);
	RUN(calls_of_ours_and_of_others);
	RUN(what_a_handler_needs_must_work);
	RUN(another_architecture_is_not_ours);
	RUN(arguments_count);
	RUN(arithmetic_is_the_kernels);
	RUN(registers_and_memory);
	RUN(nonsense_hurts);
	return test_done();
}
