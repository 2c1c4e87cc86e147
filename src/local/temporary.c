#include "local/temporary.h"

#include <errno.h>
#include <stddef.h>

#include "base/attr.h"

static const int passing[] = {
    EINTR,
    ENOMEM,
    ETXTBSY,
    EIO,
    ETIMEDOUT,
    EAGAIN,
    EDEADLK,
    EBUSY,
    ENFILE,
    EMFILE,
    EFBIG,
    ENOSPC,
    ENETDOWN,
    ENETUNREACH,
    ENETRESET,
    ECONNABORTED,
    ECONNRESET,
    ENOBUFS,
    ECONNREFUSED,
    EHOSTUNREACH,
    ESTALE,
    ENOLCK,
/* these four are not in POSIX.1-2008, or without a fixed place in it */
#ifdef EDQUOT
    EDQUOT,
#endif
#ifdef ETOOMANYREFS
    ETOOMANYREFS,
#endif
#ifdef EHOSTDOWN
    EHOSTDOWN,
#endif
#ifdef EUSERS
    EUSERS,
#endif
};

bool
temporary_error(int error)
{
	for (size_t i = 0; i < COUNT(passing); i++) {
		if (passing[i] == error)
			return true;
	}
	return false;
}
