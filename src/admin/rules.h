/*
 * rules - who may connect to a server, in the language of tcprules(1), and the
 * Makefile that compiles these rules and the other databases of a home
 */
#ifndef ADMIN_RULES_H
#define ADMIN_RULES_H

#include "admin/place.h"

/*
 * In the home: control/tcp.PROTOCOL, for one of smtp, submission, pop3, qmtp,
 * qmqp. They count only once they are compiled: qmailctl cdb, or make in
 * control/.
 */
void rules_make(const struct place *place, const char *protocol);
void rules_make_makefile(const struct place *place);

#endif
