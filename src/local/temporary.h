/*
 * temporary - which system errors may pass by themselves
 */
#ifndef LOCAL_TEMPORARY_H
#define LOCAL_TEMPORARY_H

#include <stdbool.h>

/* True for the errors that mean "not now"; false for those that mean "not
   so", ENOENT, EACCES, ENOTDIR and ELOOP among them. */
bool temporary_error(int error);

#endif
