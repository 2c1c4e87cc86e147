/*
 * no_sandbox - for LD_PRELOAD: the kernel seems to know no sandbox
 *
 * memcheck lives in the process that it watches, and needs more system calls
 * and files than the program, which may have given them up.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int
prctl(int option, ...)
{
	unsigned long argument[4];
	va_list args;

	if (option == PR_SET_NO_NEW_PRIVS || option == PR_SET_SECCOMP) {
		errno = EINVAL;
		return -1;
	}
	va_start(args, option);
	for (int i = 0; i < 4; i++)
		argument[i] = va_arg(args, unsigned long);
	va_end(args);
	return (int)syscall(SYS_prctl, option, argument[0], argument[1],
	    argument[2], argument[3]);
}
