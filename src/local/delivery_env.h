/*
 * delivery_env - the header lines that a delivery adds, and the environment of
 * the programs that it runs
 *
 * Pure: nothing is read but the arguments. Values are the bytes of the
 * addresses as they are; only a value that starts with "() {", before which
 * there may be spaces, gets one more space in front: some shells take such a
 * value for a function and run what is behind it.
 */
#ifndef LOCAL_DELIVERY_ENV_H
#define LOCAL_DELIVERY_ENV_H

#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "base/str.h"
#include "local/local_job.h"

/* "Delivered-To: local@host\n" (LF inside the address as '_') */
void delivery_append_dtline(
    struct str *to, struct span local, struct span domain);
/* "Return-Path: <quoted sender>\n" (LF inside as '_') */
void delivery_append_rpline(struct str *to, struct span sender);
/* "From sender Sun Nov 22 18:43:49 2026\n" (blanks as '-') */
void delivery_append_ufline(struct str *to, struct span sender, int64_t when_s);

/* What follows the first count dashes of ext, or nothing (EXT2: count 1). */
struct span delivery_ext(struct span ext, unsigned count);
/* What precedes the last count dots of domain; with fewer dots, what precedes
   the first (HOST2: count 1). */
struct span delivery_host(struct span domain, unsigned count);

struct delivery_facts {
	const struct local_job *job;
	struct span dtline, rpline, ufline, newsender;
	bool has_default;
	struct span default_part;
};

struct delivery_env {
	struct str text; /* "NAME=value" NUL, one behind the other */
	char **vars;     /* what execve wants; NULL before the build */
};

#define DELIVERY_ENV_INIT                                                      \
	{                                                                      \
		STR_INIT, NULL                                                 \
	}

/*
 * Sets env->vars to inherited, less the variables that a delivery sets, and
 * these. Borrows the strings of inherited. Replaces an earlier build.
 */
void delivery_env_build(struct delivery_env *env,
    const struct delivery_facts *facts, char *const *inherited);
void delivery_env_free(struct delivery_env *env);

/* The value that was put into the environment, without the added space. */
const char *delivery_env_plain(const char *value);

#endif
