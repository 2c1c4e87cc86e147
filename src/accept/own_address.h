/*
 * own_address - is an address literal one of this host's own?
 * Source: RFC 5321 section 4.1.3.
 */
#ifndef ACCEPT_OWN_ADDRESS_H
#define ACCEPT_OWN_ADDRESS_H

#include "base/attr.h"
#include "base/span.h"

/*
 * domain: what follows the '@', brackets included: "[192.0.2.1]",
 * "[IPv6:2001:db8::1]". Returns 1 if the address is one of this host
 * (ip_is_own), by its interfaces, control/moreipme and control/notipme; 0 if
 * not, or if it is no literal; -1 with errno if it cannot be found out, EINVAL
 * if a line of these files makes no sense. Looks only for a literal.
 */
MUST_USE int own_address_is(struct span domain);

#endif
