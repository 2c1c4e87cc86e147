/*
 * sandbox_linux - the two halves of base/sandbox on Linux
 *
 * By plain system calls, with what they need of the kernel's headers written
 * down here: those headers are not there with every libc. Both calls want
 * no_new_privs, are for base/sandbox.c and tests, and return 0, or -1 with
 * errno if nothing was restricted.
 */
#ifndef BASE_SANDBOX_LINUX_H
#define BASE_SANDBOX_LINUX_H

#include "base/attr.h"
#include "base/sandbox.h"

/* The leak check at the end of such a build traces the process and reads
   /proc: its programs keep reading and children. */
#if defined(__SANITIZE_ADDRESS__)
#define SANDBOX_IS_CHECKED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANDBOX_IS_CHECKED 1
#endif
#endif
#ifndef SANDBOX_IS_CHECKED
#define SANDBOX_IS_CHECKED 0
#endif

/* The version of Landlock that the kernel has; 0: none. */
MUST_USE int sandbox_landlock_version(void);
MUST_USE int sandbox_landlock(const struct sandbox *rights);
MUST_USE int sandbox_seccomp(const struct sandbox *rights);

#endif
