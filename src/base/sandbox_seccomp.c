/* SYS_ numbers and O_DIRECTORY are outside POSIX */
#define _GNU_SOURCE 1
#include "base/sandbox_linux.h"

#include <errno.h>

#if defined(__linux__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ &&         \
    ((defined(__x86_64__) && defined(__LP64__)) ||                             \
	(defined(__aarch64__) && defined(__LP64__)))

#include <assert.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/sandbox_calls.h"

/* linux/filter.h, linux/seccomp.h, linux/audit.h */
struct instruction {
	uint16_t code;
	uint8_t if_true, if_false; /* how many instructions are skipped */
	uint32_t k;
};

struct program {
	unsigned short count;
	struct instruction *instructions;
};

enum {
	LOAD = 0x20, /* BPF_LD | BPF_W | BPF_ABS: of the system call's data */
	JUMP_EQUAL = 0x15,
	JUMP_NOT_LESS = 0x35,
	JUMP_ANY_BIT = 0x45,
	RETURN = 0x06,

	AT_NUMBER = 0, /* where it is in the data */
	AT_ARCHITECTURE = 4,
	AT_ARGUMENTS = 16, /* 8 bytes each, the low half first */

	MODE_FILTER = 2,
};

#define RETURN_ALLOW 0x7fff0000u
#define RETURN_ERROR 0x00050000u

#if defined(__x86_64__)
#define ARCHITECTURE 0xc000003eu
#else
#define ARCHITECTURE 0xc00000b7u
#endif

/* linux/sched.h */
#define CLONE_THREAD_BIT 0x00010000u
#define CLONE_NAMESPACES 0x7e020000u

enum {
	PROGRAM_MAX = 1024,
	DOMAIN_NETLINK = 16,
};

struct making {
	struct instruction *code;
	size_t count;
	unsigned may;
	uint32_t self; /* process ID */
	/* numbers from starts[i] up to the next one have actions[i] */
	size_t ranges;
	uint16_t starts[SANDBOX_CALLS];
	uint8_t actions[SANDBOX_CALLS];
};

/* ---- instructions -------------------------------------------------------- */

static void
add(struct making *making, uint16_t code, uint8_t if_true, uint8_t if_false,
    uint32_t k)
{
	assert(making->count < PROGRAM_MAX);
	making->code[making->count++] =
	    (struct instruction){code, if_true, if_false, k};
}

static void
add_load_argument(struct making *making, unsigned number)
{
	add(making, LOAD, 0, 0, AT_ARGUMENTS + 8 * number);
}

static void
add_allow(struct making *making)
{
	add(making, RETURN, 0, 0, RETURN_ALLOW);
}

static void
add_refuse(struct making *making, int error)
{
	add(making, RETURN, 0, 0, RETURN_ERROR | (uint32_t)error);
}

/* Allowed if the argument that was loaded is one of values, else refused. */
static void
add_one_of(struct making *making, const uint32_t *values, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		add(making, JUMP_EQUAL, 0, 1, values[i]);
		add_allow(making);
	}
	add_refuse(making, EPERM);
}

/* Refused if the argument that was loaded has one of bits, else allowed. */
static void
add_none_of(struct making *making, uint32_t bits)
{
	add(making, JUMP_ANY_BIT, 0, 1, bits);
	add_refuse(making, EPERM);
	add_allow(making);
}

/* ---- system calls that depend on their arguments ------------------------- */

/* Opening to read; or, if there is nothing to be read, a directory, which
   net/submit returns to. */
static void
add_open(struct making *making, unsigned flags_at, bool only_directories)
{
	add_load_argument(making, flags_at);
	if (only_directories) {
		add(making, JUMP_ANY_BIT, 1, 0, O_DIRECTORY);
		add_refuse(making, EPERM);
	}
	add_none_of(making, O_ACCMODE | O_CREAT | O_TRUNC);
}

/* Numbers of domains; of AF_NETLINK there is only protocol 0, routing, which
   getifaddrs asks. */
static void
add_socket(struct making *making)
{
	static const uint32_t local[] = {AF_UNIX};
	static const uint32_t net[] = {AF_UNIX, AF_INET, AF_INET6};

	add_load_argument(making, 0);
	add(making, JUMP_EQUAL, 0, 4, DOMAIN_NETLINK);
	add_load_argument(making, 2);
	add(making, JUMP_EQUAL, 0, 1, 0);
	add_allow(making);
	add_refuse(making, EPERM);
	if (making->may & SANDBOX_NET)
		add_one_of(making, net, COUNT(net));
	else
		add_one_of(making, local, COUNT(local));
}

/* Not what sends signals to others as data comes. */
static void
add_fcntl(struct making *making)
{
	static const uint32_t refused[] = {F_SETOWN, F_SETSIG, F_SETOWN_EX};

	add_load_argument(making, 1);
	for (size_t i = 0; i < COUNT(refused); i++) {
		add(making, JUMP_EQUAL, 0, 1, refused[i]);
		add_refuse(making, EPERM);
	}
	add_allow(making);
}

/* Whether it is a terminal, and how much there is to read: no typing in the
   caller's terminal. */
static void
add_ioctl(struct making *making)
{
	static const uint32_t allowed[] = {0x5401 /* TCGETS */,
	    0x5413 /* TIOCGWINSZ */, 0x541b /* FIONREAD */,
	    0x5421 /* FIONBIO */, 0x5450 /* FIONCLEX */, 0x5451 /* FIOCLEX */};

	add_load_argument(making, 1);
	add_one_of(making, allowed, COUNT(allowed));
}

/* Signals to the process itself, as raise and abort send them. A child has
   another number: who forks enters a sandbox after it. */
static void
add_self(struct making *making)
{
	add_load_argument(making, 0);
	add_one_of(making, &making->self, 1);
}

static void
add_clone(struct making *making, bool only_threads)
{
	add_load_argument(making, 0);
	if (only_threads) {
		add(making, JUMP_ANY_BIT, 1, 0, CLONE_THREAD_BIT);
		add_refuse(making, EPERM);
	}
	add_none_of(making, CLONE_NAMESPACES);
}

static void
add_action(struct making *making, enum sandbox_action action)
{
	static const uint32_t zero[] = {0};

	switch (action) {
	case SANDBOX_ALLOW:
		add_allow(making);
		break;
	case SANDBOX_REFUSE:
		add_refuse(making, EPERM);
		break;
	case SANDBOX_OPEN_READ:
		add_open(making, 1, false);
		break;
	case SANDBOX_OPENAT_READ:
		add_open(making, 2, false);
		break;
	case SANDBOX_OPEN_DIRECTORY:
		add_open(making, 1, true);
		break;
	case SANDBOX_OPENAT_DIRECTORY:
		add_open(making, 2, true);
		break;
	case SANDBOX_SOCKET:
		add_socket(making);
		break;
	case SANDBOX_FCNTL:
		add_fcntl(making);
		break;
	case SANDBOX_IOCTL:
		add_ioctl(making);
		break;
	case SANDBOX_SELF:
		add_self(making);
		break;
	case SANDBOX_ZERO:
		add_load_argument(making, 0);
		add_one_of(making, zero, COUNT(zero));
		break;
	case SANDBOX_CLONE:
		add_clone(making, false);
		break;
	case SANDBOX_CLONE_THREAD:
		add_clone(making, true);
		break;
	case SANDBOX_UNKNOWN:
		/* what a kernel that does not have the call says: libraries
		   know what to do then */
		add_refuse(making, ENOSYS);
		break;
	}
}

/* ---- the program --------------------------------------------------------- */

static void
find_ranges(struct making *making, const uint8_t actions[SANDBOX_CALLS])
{
	for (size_t i = 0; i < SANDBOX_CALLS; i++) {
		if (i > 0 && actions[i] == actions[i - 1])
			continue;
		making->starts[making->ranges] = (uint16_t)i;
		making->actions[making->ranges++] = actions[i];
	}
}

/* A binary search: the kernel runs the program for each system call, and once
   for each number that there is when it is installed. */
static void
add_search(struct making *making, size_t first, size_t end)
{
	size_t middle = first + (end - first) / 2, at, skip;

	if (end - first == 1) {
		add_action(making, (enum sandbox_action)making->actions[first]);
		return;
	}
	at = making->count;
	add(making, JUMP_NOT_LESS, 0, 0, making->starts[middle]);
	add_search(making, first, middle);
	skip = making->count - at - 1;
	assert(skip <= UINT8_MAX); /* no argument of a user has a say in it */
	making->code[at].if_true = (uint8_t)skip;
	add_search(making, middle, end);
}

int
sandbox_seccomp(const struct sandbox *rights)
{
	struct instruction code[PROGRAM_MAX];
	uint8_t actions[SANDBOX_CALLS];
	struct making making = {
	    .code = code, .may = rights->may, .self = (uint32_t)getpid()};
	struct program program;

	sandbox_calls(actions, rights);
	find_ranges(&making, actions);
	/* the numbers of another architecture mean other calls */
	add(&making, LOAD, 0, 0, AT_ARCHITECTURE);
	add(&making, JUMP_EQUAL, 1, 0, ARCHITECTURE);
	add_refuse(&making, ENOSYS);
	add(&making, LOAD, 0, 0, AT_NUMBER);
	add_search(&making, 0, making.ranges);
	program = (struct program){(unsigned short)making.count, code};
	return prctl(PR_SET_SECCOMP, MODE_FILTER, &program, 0, 0);
}

#else

int
sandbox_seccomp(const struct sandbox *rights)
{
	(void)rights;
	errno = ENOSYS;
	return -1;
}

#endif
