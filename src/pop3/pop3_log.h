/*
 * pop3_log - one line of the POP3 log: "pid=7 ip=192.0.2.7 user=joe result=..."
 */
#ifndef POP3_POP3_LOG_H
#define POP3_POP3_LOG_H

#include "base/attr.h"
#include "base/span.h"

enum {
	POP3_LOG_SHOWN_MAX = 200, /* bytes of a name */
};

/* Writes to descriptor 2 the process, TCPREMOTEIP, user and what format makes.
   Bytes that could pass for another field are '_'. */
void pop3_log(struct span user, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
