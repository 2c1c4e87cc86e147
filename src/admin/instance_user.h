/*
 * instance_user - the local user of a new instance: mailbox, rules, password
 */
#ifndef ADMIN_INSTANCE_USER_H
#define ADMIN_INSTANCE_USER_H

#include "admin/place.h"

/*
 * In the current directory, whose absolute path is home: users/NAME with a
 * Maildir, users/assign (and users/cdb, by bin/qmail-newu) that gives NAME his
 * mail and all other local parts to alias/, and users/passwd with a password
 * made up here, which users/NAME.password (mode 0600) tells. All of it belongs
 * to this process's uid and gid. Ends the program on trouble.
 */
void instance_user_make(
    const struct place *place, const char *home, const char *name);

#endif
