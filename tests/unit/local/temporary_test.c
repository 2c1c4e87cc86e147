/* temporary: which system errors may pass by themselves */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "base/attr.h"
#include "local/temporary.h"

static void
which_errors_pass(void **state)
{
	static const int pass[] = {EINTR, ENOMEM, ETXTBSY, EIO, ETIMEDOUT,
	    EAGAIN, EDEADLK, EBUSY, ENFILE, EMFILE, EFBIG, ENOSPC, ENETDOWN,
	    ENETUNREACH, ENETRESET, ECONNABORTED, ECONNRESET, ENOBUFS,
	    ECONNREFUSED, EHOSTUNREACH, ESTALE, ENOLCK, ETOOMANYREFS, EHOSTDOWN,
	    EUSERS, EDQUOT};
	static const int stay[] = {ENOENT, EACCES, ENOTDIR, ELOOP, EPERM,
	    EISDIR, EINVAL, ENOEXEC, E2BIG, ENAMETOOLONG, EROFS, EEXIST, ENXIO,
	    ENOTEMPTY, 0};

	(void)state;
	for (size_t i = 0; i < COUNT(pass); i++) {
		if (!temporary_error(pass[i]))
			fail_msg("error %d is temporary", pass[i]);
	}
	for (size_t i = 0; i < COUNT(stay); i++) {
		if (temporary_error(stay[i]))
			fail_msg("error %d is permanent", stay[i]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(which_errors_pass)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
