/*
 * services - the four service directories of an instance, for svscan
 *
 * service/queue, send, smtpd and pop3d, each with run and log/run, and
 * log/queue and so on for what multilog writes. The scripts are the
 * administrator's to edit; what exists is never changed.
 */
#ifndef ADMIN_SERVICES_H
#define ADMIN_SERVICES_H

#include <stdbool.h>
#include <sys/types.h>

#include "admin/place.h"

struct services {
	const char *home;    /* absolute; neither ':' nor LF in it */
	const char *bin;     /* where the programs are; likewise */
	const char *host;    /* for qmail-popup's banner */
	const char *address; /* to listen on */
	unsigned long smtp_port, pop3_port;
	/* The accounts of tcpserver and multilog; NULL: all is one user's. */
	const char *server_user, *log_user;
	const struct place *place, *log_place;
};

void services_make(const struct services *services);

#endif
