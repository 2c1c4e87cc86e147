/*
 * sandbox_calls - what the filter of base/sandbox does with each system call
 *
 * For sandbox_seccomp.c alone, which makes instructions of it. Calls that no
 * list has are refused; new ones, and those to come, as if the kernel did not
 * have them (SANDBOX_UNKNOWN), for libraries have an older one instead.
 */
#ifndef BASE_SANDBOX_CALLS_H
#define BASE_SANDBOX_CALLS_H

#include <stdint.h>

#include "base/sandbox.h"

enum {
	SANDBOX_CALLS = 512, /* numbers from there on are unknown */
};

enum sandbox_action {
	SANDBOX_UNKNOWN,
	SANDBOX_REFUSE,
	SANDBOX_ALLOW,
	SANDBOX_OPEN_READ,
	SANDBOX_OPENAT_READ,
	SANDBOX_OPEN_DIRECTORY,
	SANDBOX_OPENAT_DIRECTORY,
	SANDBOX_SOCKET,
	SANDBOX_FCNTL,
	SANDBOX_IOCTL,
	SANDBOX_SELF,
	SANDBOX_ZERO,
	SANDBOX_CLONE,
	SANDBOX_CLONE_THREAD,
};

/* Sets the action of each number; only where there is a filter. */
void sandbox_calls(
    uint8_t actions[SANDBOX_CALLS], const struct sandbox *rights);

#endif
