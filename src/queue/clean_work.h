/*
 * clean_work - what a qmail-clean does: slow work on files under queue/
 *
 * Each may be done again after it was cut anywhere. 0, or -1 with errno; what
 * is the file that made trouble. A sync that failed is not tried again here:
 * whoever asked must not rely on these files.
 */
#ifndef QUEUE_CLEAN_WORK_H
#define QUEUE_CLEAN_WORK_H

#include <stdint.h>

#include "base/attr.h"
#include "base/str.h"
#include "queue/clean_job.h"

MUST_USE int clean_work_do(const struct clean_job *job, struct str *what);

#endif
